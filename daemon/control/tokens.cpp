#include "daemon/control/tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/beast/core/string.hpp>

#include "daemon/config/document.h"
#include "daemon/config/suggest.h"
#include "daemon/util/file.h"

namespace wsl4::control {
namespace {

constexpr std::string_view kBlanks = " \t\r,";
constexpr std::string_view kScheme = "Bearer";
constexpr std::string_view kAll = "*";
constexpr std::size_t kMaxServiceName = 32;  // as in the configuration

/// The next word of `rest`, which goes on behind it; empty at the end.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const auto word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  return word;
}

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_token_char(char c) { return is_letter_or_digit(c) || std::string_view("-._~+/=").find(c) != std::string_view::npos; }
bool is_service_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

bool is_service(std::string_view word) {
  return word == kAll || (word.size() <= kMaxServiceName && std::all_of(word.begin(), word.end(), is_service_char));
}

}  // namespace

class TokenReader {
 public:
  explicit TokenReader(const std::string& file) : file_(file) {}

  tl::expected<Tokens, std::vector<std::string>> read(std::string_view text) {
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      ++line_;
      read_line(line);
    }
    if (!problems_.empty()) return tl::make_unexpected(std::move(problems_));
    return std::move(tokens_);
  }

 private:
  void read_line(std::string_view rest) {
    const auto token = next_word(rest);
    if (token.empty() || token.starts_with('#')) return;
    Tokens::Grant grant;
    grant.line = line_;
    for (auto word = next_word(rest); !word.empty() && !word.starts_with('#'); word = next_word(rest)) {
      if (!is_service(word))
        tell(config::in_quotes(word) + " is not the name of a service (a-z, 0-9 and -, at most 32 characters)");
      grant.services.emplace(word);
    }
    if (!std::all_of(token.begin(), token.end(), is_token_char))
      return tell("the token has characters that none may have (letters, digits and - . _ ~ + / =)");
    if (token.size() < Tokens::kMinLength)
      return tell(fmt::format("the token has {} characters (at least {})", token.size(), Tokens::kMinLength));
    if (grant.services.empty()) return tell("the token may join no service (write their names behind it, or *)");
    grant.digest = Tokens::digest_of(token);
    if (const auto* same = tokens_.find(grant.digest)) return tell(fmt::format("the token is that of line {} too", same->line));
    if (tokens_.grants_.size() == Tokens::kMaxTokens)
      return tell(fmt::format("there are too many tokens (at most {})", Tokens::kMaxTokens));
    tokens_.grants_.push_back(std::move(grant));
  }

  void tell(const std::string& problem) { problems_.push_back(fmt::format("{}:{}: {}", file_, line_, problem)); }

  const std::string& file_;
  std::size_t line_ = 0;
  Tokens tokens_;
  std::vector<std::string> problems_;
};

tl::expected<Tokens, std::vector<std::string>> Tokens::parse(std::string_view text, const std::string& file) {
  return TokenReader(file).read(text);
}

tl::expected<Tokens, std::vector<std::string>> Tokens::load(const std::string& file) {
  const auto text = util::read_secret_file(file);
  if (!text) return tl::make_unexpected(std::vector{text.error()});
  return parse(*text, file);
}

Tokens::Verdict Tokens::check(std::string_view authorization, std::string_view service) const {
  if (!boost::beast::iequals(authorization.substr(0, kScheme.size()), kScheme)) return Verdict::kUnknown;
  authorization.remove_prefix(kScheme.size());
  const auto start = authorization.find_first_not_of(' ');
  if (start == 0 || start == std::string_view::npos) return Verdict::kUnknown;
  const auto* grant = find(digest_of(authorization.substr(start)));
  if (grant == nullptr) return Verdict::kUnknown;
  const bool granted = grant->services.contains(kAll) || grant->services.contains(service);
  return granted ? Verdict::kGranted : Verdict::kOtherServices;
}

std::vector<std::string> Tokens::strangers(const config::Config& config) const {
  constexpr std::size_t kShown = 10;
  if (grants_.empty()) return {};
  std::vector<std::string_view> known;
  for (const auto& service : config.services) known.push_back(service.name);
  std::set<std::string_view> seen(known.begin(), known.end());
  std::vector<std::string> strangers;
  std::size_t more = 0;
  for (const Grant& grant : grants_) {
    for (const std::string& name : grant.services) {
      if (name == kAll || !seen.insert(name).second || (strangers.size() == kShown && ++more > 0)) continue;
      const auto meant = config::nearest(name, known);
      strangers.push_back(fmt::format("{}:{}: there is no service \"{}\"{}", config.control.token_file, grant.line, name,
                                      meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant)));
    }
  }
  if (more > 0) strangers.push_back(fmt::format("{}: there are {} more names of no service", config.control.token_file, more));
  return strangers;
}

Tokens::Digest Tokens::digest_of(std::string_view token) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());  // NOLINT: OpenSSL's own way
  return digest;
}

// Goes through all of them, so that the time tells nothing of where or how far it matched.
const Tokens::Grant* Tokens::find(const Digest& digest) const {
  const Grant* found = nullptr;
  for (const Grant& grant : grants_) {
    if (::CRYPTO_memcmp(grant.digest.data(), digest.data(), digest.size()) == 0) found = &grant;
  }
  return found;
}

}  // namespace wsl4::control
