// Loaded before a program (LD_PRELOAD): the first two netfilter batches that it sends are refused, as by a kernel that has no
// memory: a change, and then the table as a whole.
#include <dlfcn.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

extern "C" ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* address, socklen_t length) {
  static std::atomic<int> refused = 0;
  nlmsghdr header{};
  if (address != nullptr && address->sa_family == AF_NETLINK && size >= sizeof header) std::memcpy(&header, data, sizeof header);
  if (header.nlmsg_type == NFNL_MSG_BATCH_BEGIN && refused++ < 2) return errno = ENOMEM, -1;
  static const auto real = reinterpret_cast<decltype(&sendto)>(::dlsym(RTLD_NEXT, "sendto"));
  return real(fd, data, size, flags, address, length);
}
