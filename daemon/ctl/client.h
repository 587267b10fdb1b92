// One request to the daemon over its control socket.
#pragma once

#include <chrono>
#include <string>

#include <tl/expected.hpp>

namespace wsl4::ctl {

struct Call {
  std::string socket;
  std::string method = "GET";
  std::string target;
  std::string body = {};             // JSON; empty: none
  std::chrono::seconds timeout{10};  // for all of it
};

inline constexpr unsigned kOk = 200;

struct Reply {
  unsigned status = 0;
  std::string body;
};

/// Why the daemon could not be reached, in one line that also says what to do.
struct Unreachable {
  enum class Kind : unsigned char { kNoSocket, kPermission, kRefused, kTimeout, kOther };
  Kind kind = Kind::kOther;
  std::string message;
};

/// Answers of at most 256 MiB.
[[nodiscard]] tl::expected<Reply, Unreachable> call(const Call& call);

/// Whether somebody listens on the socket: nothing if so.
[[nodiscard]] tl::expected<void, Unreachable> probe(const std::string& socket);

}  // namespace wsl4::ctl
