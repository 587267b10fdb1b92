#include "daemon/http/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "netlink/handle.h"

namespace wsl4::http {
namespace {

constexpr mode_t kMode = 0660;

tl::unexpected<std::string> failure(const std::string& path, int code) {
  return tl::make_unexpected(fmt::format("control socket {}: {}", path, std::generic_category().message(code)));
}

tl::expected<sockaddr_un, std::string> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return tl::make_unexpected(
        fmt::format("control socket {}: the path must have 1 to {} characters", path, sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int call_with_address(int (*call)(int, const sockaddr*, socklen_t), int descriptor, const sockaddr_un& address) {
  return call(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));  // NOLINT: the socket API's own way
}

/// Makes way for a new socket: nothing there, or a file that a dead daemon left.
tl::expected<void, std::string> make_way(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? tl::expected<void, std::string>{} : failure(path, errno);
  if (!S_ISSOCK(status.st_mode)) {
    return tl::make_unexpected(fmt::format("control socket {}: there is a file of another kind; move it away", path));
  }
  const netlink::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return failure(path, errno);
  // EAGAIN: somebody listens, and has a full backlog.
  if (call_with_address(::connect, probe.get(), address) == 0 || errno == EAGAIN) {
    return tl::make_unexpected(
        fmt::format("control socket {}: another daemon answers there; stop it, or set control.socket", path));
  }
  if (errno != ECONNREFUSED) return failure(path, errno);
  if (::unlink(path.c_str()) != 0) return failure(path, errno);
  return {};
}

}  // namespace

tl::expected<UnixSocket, std::string> listen_unix_socket(const std::string& path, int backlog) {
  const auto address = address_of(path);
  if (!address) return tl::make_unexpected(address.error());
  if (auto way = make_way(path, *address); !way) return tl::make_unexpected(way.error());

  netlink::Fd descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (descriptor.get() < 0) return failure(path, errno);
  // bind(2) gives the file the socket's own mode less the umask, so that it is never more open than it should be.
  if (::fchmod(descriptor.get(), kMode) != 0) return failure(path, errno);
  if (call_with_address(::bind, descriptor.get(), *address) != 0) return failure(path, errno);

  UnixSocket made;
  made.path = path;
  struct stat status {};
  const bool ready =
      ::lstat(path.c_str(), &status) == 0 && ::chmod(path.c_str(), kMode) == 0 && ::listen(descriptor.get(), backlog) == 0;
  if (!ready) {
    const int code = errno;
    ::unlink(path.c_str());
    return failure(path, code);
  }
  made.device = status.st_dev;
  made.inode = status.st_ino;
  made.descriptor = descriptor.release();
  return made;
}

void remove_socket_file(const UnixSocket& socket) {
  struct stat status {};
  if (::lstat(socket.path.c_str(), &status) != 0) return;
  if (status.st_dev == socket.device && status.st_ino == socket.inode) ::unlink(socket.path.c_str());
}

}  // namespace wsl4::http
