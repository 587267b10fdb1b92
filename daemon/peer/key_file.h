// The pair's pre-shared keys: the file `ha.key_file`.
//
//   # one key a line, 64 hexadecimal digits (256 bits): the first is sent, all are accepted
//   5f0c…e1
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::peer {

/// 256 random bits. Wipes them when it goes.
class Key {
 public:
  static constexpr std::size_t kSize = 32;  // bytes
  using Bytes = std::array<std::uint8_t, kSize>;

  explicit Key(const Bytes& bytes);
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();

  /// From the system's random source. Fails if that does.
  [[nodiscard]] static tl::expected<Key, std::string> generate();
  /// As a line of the file has it, without the end of the line.
  [[nodiscard]] static tl::expected<Key, std::string> parse(std::string_view digits);

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] std::string text() const;  // what `parse` reads
  /// What is sent to say which key is meant: 32 hexadecimal digits of a hash, which tell nothing of the key.
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  Bytes bytes_;
  std::string id_;
};

/// At least one. The first is sent, all are accepted.
using Keys = std::vector<Key>;

inline constexpr std::size_t kMaxKeys = 8;

/// Empty lines, lines that begin with # and keys that were there before are nothing. The error has every problem as "FILE:LINE:
/// what is wrong", none of which shows a key.
[[nodiscard]] tl::expected<Keys, std::vector<std::string>> parse_keys(std::string_view text, const std::string& file);

/// Refuses a file that others may read (mode 0600 and stricter pass), or that belongs to another user than this process's or root.
[[nodiscard]] tl::expected<Keys, std::vector<std::string>> load_keys(const std::string& file);

/// Makes `file` with `key` in it, mode 0600, owned by `owner` if this process is root and there is such a user. A file that is
/// there already is left alone, which is an error.
[[nodiscard]] tl::expected<void, std::string> make_key_file(const std::string& file, const Key& key, const std::string& owner);

}  // namespace wsl4::peer
