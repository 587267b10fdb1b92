// Small files, whole: read, and written so that a crash leaves the old or the new one, never half.
#pragma once

#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "netlink/handle.h"

namespace wsl4::util {

/// The error names the file and says why.
[[nodiscard]] tl::expected<std::string, std::string> read_file(const std::string& path);

/// The same, but a file that is not there is none.
[[nodiscard]] tl::expected<std::optional<std::string>, std::string> read_file_if_there(const std::string& path);

/// The same for a file with secrets: one that is more open than mode `widest` is refused, and so is one that belongs neither to
/// this process's user nor to root (to root every file is its own). The error says what to do.
[[nodiscard]] tl::expected<std::string, std::string> read_secret_file(const std::string& path, unsigned widest = 0640);

struct FileContent {
  std::string text;
  bool else_none = false;  // no file says the same, and is better than an older one
};

/// Writes a temporary file beside `path`, syncs it, and renames it over `path`; mode 0640. Durable when it returns without an
/// error.
[[nodiscard]] tl::expected<void, std::string> replace_file(const std::string& path, const FileContent& content);
/// None is removed already.
[[nodiscard]] tl::expected<void, std::string> remove_file(const std::string& path);

/// Held by one process at a time until it ends, however it does (flock(2)); nothing while another one holds it.
[[nodiscard]] tl::expected<std::optional<netlink::Fd>, std::string> lock_folder(const std::string& path);

/// Whether this process may have files there; not whether there is room for them.
[[nodiscard]] tl::expected<void, std::string> may_write_in(const std::string& folder);

}  // namespace wsl4::util
