#include "daemon/util/file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

namespace wsl4::util {

namespace {

std::string user_name(uid_t id) {
  const passwd* const user = ::getpwuid(id);
  return user == nullptr ? std::to_string(id) : user->pw_name;
}

tl::unexpected<std::string> failed(const char* verb, const std::string& path) {
  const int code = errno;
  auto why = std::generic_category().message(code);
  if (code == EACCES) why += " to user " + user_name(::geteuid());
  return tl::make_unexpected(fmt::format("cannot {} {}: {}", verb, path, why));
}

bool write_all(int fd, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::write(fd, content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

tl::expected<std::string, std::string> read_all(int fd, const std::string& path) {
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", path);
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

tl::expected<void, std::string> sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const netlink::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && ::fsync(fd.get()) == 0 ? tl::expected<void, std::string>{} : failed("sync", folder);
}

tl::expected<void, std::string> write_beside(const std::string& temporary, const std::string& path, const std::string& text) {
  const netlink::Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!fd) return failed("create", temporary);
  if (!write_all(fd.get(), text) || ::fsync(fd.get()) != 0) return failed("write", temporary);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return failed("replace", path);
  return sync_folder_of(path);
}

}  // namespace

tl::expected<std::string, std::string> read_file(const std::string& path) {
  const netlink::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return failed("open", path);
  return read_all(fd.get(), path);
}

tl::expected<std::optional<std::string>, std::string> read_file_if_there(const std::string& path) {
  const netlink::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return failed("open", path);
  return read_all(fd.get(), path);
}

tl::expected<std::string, std::string> read_secret_file(const std::string& path, unsigned widest) {
  const netlink::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO without a writer too
  if (!fd) return failed("open", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed("read", path);
  if (!S_ISREG(status.st_mode))
    return tl::make_unexpected(
        fmt::format("{} is {}, not a file", path, S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  const unsigned mode = status.st_mode & 07777U;
  if ((mode & ~widest) != 0) {
    return tl::make_unexpected(fmt::format("{0} holds secrets and has mode {1:04o}: chmod {2:04o} {0}", path, mode, widest));
  }
  const uid_t self = ::geteuid();
  if (self != 0 && status.st_uid != 0 && status.st_uid != self) {
    return tl::make_unexpected(fmt::format("{0} holds secrets and belongs to user {1}, not to user {2}: chown {2}: {0}", path,
                                           user_name(status.st_uid), user_name(self)));
  }
  return read_all(fd.get(), path);
}

tl::expected<void, std::string> replace_file(const std::string& path, const FileContent& content) {
  auto written = write_beside(path + ".new", path, content.text);
  if (!written && content.else_none) (void)remove_file(path);  // what it says is the same
  return written;
}

tl::expected<void, std::string> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return sync_folder_of(path);
  return errno == ENOENT ? tl::expected<void, std::string>{} : failed("remove", path);
}

tl::expected<std::optional<netlink::Fd>, std::string> lock_folder(const std::string& path) {
  netlink::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return std::nullopt;
  return failed("lock", path);
}

tl::expected<void, std::string> may_write_in(const std::string& folder) {
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return failed("write in", folder);
}

}  // namespace wsl4::util
