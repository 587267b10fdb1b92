// Who may join which service: the file `control.token_file`. Pure, but for reading it.
//
//   # one token a line, followed by the services that it may join, separated by blanks or commas; * stands for all
//   5kQ0q3PzDqkMq1yVtWnC4w  chat, video
//   Zz7V9o2m3bXJY8d1L0aRfQ  *
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/config.h"

namespace wsl4::control {

class Tokens {
 public:
  static constexpr std::size_t kMinLength = 16;  // characters; those of RFC 6750 2.1: letters, digits and - . _ ~ + / =
  static constexpr std::size_t kMaxTokens = 4096;

  enum class Verdict : unsigned char { kUnknown, kOtherServices, kGranted };

  /// No token: nobody may join.
  Tokens() = default;

  /// The error has every problem as "FILE:LINE: what is wrong"; none of them shows a token.
  [[nodiscard]] static tl::expected<Tokens, std::vector<std::string>> parse(std::string_view text, const std::string& file);
  /// A file that is more open than mode 0640 is refused.
  [[nodiscard]] static tl::expected<Tokens, std::vector<std::string>> load(const std::string& file);

  /// `authorization` is the header as sent: "Bearer …". Takes the same time for each token of the file, right or wrong.
  [[nodiscard]] Verdict check(std::string_view authorization, std::string_view service) const;
  /// Each name of a service that is not in `config`, as "FILE:LINE: there is no service …", ten of them at most and how many more.
  /// It may come with a later reload, so it is no error.
  [[nodiscard]] std::vector<std::string> strangers(const config::Config& config) const;
  [[nodiscard]] std::size_t size() const { return grants_.size(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;  // SHA-256: of equal size for all, and no token stays in memory
  struct Grant {
    Digest digest{};
    std::set<std::string, std::less<>> services;  // "*": all
    std::size_t line = 0;
  };
  friend class TokenReader;

  [[nodiscard]] static Digest digest_of(std::string_view token);
  [[nodiscard]] const Grant* find(const Digest& digest) const;

  std::vector<Grant> grants_;
};

}  // namespace wsl4::control
