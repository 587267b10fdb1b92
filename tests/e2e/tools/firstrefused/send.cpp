// Loaded before a program (LD_PRELOAD): the first two netfilter batches that it sends are refused, as by a kernel that has no
// memory: a change, and then the table as a whole.
#include <dlfcn.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

extern "C" ssize_t send(int fd, const void* data, size_t size, int flags) {
  static std::atomic<int> refused = 0;
  int domain = 0;
  socklen_t length = sizeof domain;
  nlmsghdr header{};
  const bool is_netlink = ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK;
  if (is_netlink && size >= sizeof header) std::memcpy(&header, data, sizeof header);
  if (header.nlmsg_type == NFNL_MSG_BATCH_BEGIN && refused++ < 2) return errno = ENOMEM, -1;
  static const auto real = reinterpret_cast<decltype(&send)>(::dlsym(RTLD_NEXT, "send"));
  return real(fd, data, size, flags);
}
