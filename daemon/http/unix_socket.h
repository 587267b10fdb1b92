// A listening Unix socket and its file: made without ever replacing a live daemon's, removed only while it is ours.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

namespace wsl4::http {

/// A bound, listening socket; the caller owns `descriptor`. `device` and `inode` tell our file from a successor's.
struct UnixSocket {
  int descriptor = -1;
  std::string path;
  std::uint64_t device = 0, inode = 0;
};

/// Mode 0660 from the first moment. A file that nobody listens on is replaced; a live socket, or a file of another kind, is an
/// error.
[[nodiscard]] tl::expected<UnixSocket, std::string> listen_unix_socket(const std::string& path, int backlog);

/// Removes the file if it is still the one that `socket` made.
void remove_socket_file(const UnixSocket& socket);

}  // namespace wsl4::http
