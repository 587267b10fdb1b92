// What another user of this machine may do with files, asked of the kernel.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace wsl4::util {

/// Whom the package runs the daemon as.
inline constexpr const char* kDaemonUser = "wsl4";

/// Does `work` with the rights of user `name`, on a thread of its own, and waits for it; with those of this process if it is not
/// root's, or if there is no such user.
void run_as(const std::string& name, const std::function<void()>& work);

/// Whether `as_user` has the rights of `name`: this process is root's or that user's, or there is no such user and so no other
/// rights to be had.
[[nodiscard]] bool can_act_as(const std::string& name);

template <class Work>
auto as_user(const std::string& name, Work work) {
  std::optional<decltype(work())> result;
  run_as(name, [&] { result.emplace(work()); });
  return *std::move(result);
}

}  // namespace wsl4::util
