// The error type of this library: a value with an errno and the words that say what was tried.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace wsl4::netlink {

/// `code` is a positive errno (0 where no system call was involved); `what` names the operation, not the errno.
struct Error {
  int code = 0;
  std::string what;

  /// "add chain svc-chat: Operation not permitted"
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] tl::unexpected<Error> failure(int code, std::string_view what);
/// The same, with the thread's errno.
[[nodiscard]] tl::unexpected<Error> failure_from_errno(std::string_view what);

}  // namespace wsl4::netlink
