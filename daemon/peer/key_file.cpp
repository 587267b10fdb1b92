#include "daemon/peer/key_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "daemon/util/file.h"
#include "netlink/handle.h"

namespace wsl4::peer {
namespace {

constexpr unsigned kMode = 0600;
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kBlanks = " \t\r";

std::string hex(const std::uint8_t* bytes, std::size_t size) {
  std::string text;
  text.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) text.append({kDigits[bytes[i] >> 4U], kDigits[bytes[i] & 15U]});
  return text;
}

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

/// For another use than the key itself: without the prefix it would be the key's plain SHA-256.
std::string id_of(const Key::Bytes& key) {
  constexpr std::string_view kPurpose = "wsl4 key id\n";
  constexpr std::size_t kIdBytes = 16;
  std::array<std::uint8_t, kPurpose.size() + Key::kSize> input{};
  std::ranges::copy(key, std::ranges::copy(kPurpose, input.begin()).out);
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(input.data(), input.size(), digest.data());
  ::OPENSSL_cleanse(input.data(), input.size());
  return hex(digest.data(), kIdBytes);
}

std::string_view trimmed(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

std::string system_error() { return std::generic_category().message(errno); }

bool write_line(int fd, const std::string& line) {
  const auto written = ::write(fd, line.data(), line.size());
  return written == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
}

}  // namespace

Key::Key(const Bytes& bytes) : bytes_(bytes), id_(id_of(bytes)) {}
Key::~Key() { ::OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

tl::expected<Key, std::string> Key::generate() {
  Bytes bytes{};
  if (::RAND_priv_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return tl::make_unexpected(std::string("the system has no random bytes"));
  return Key(bytes);
}

tl::expected<Key, std::string> Key::parse(std::string_view digits) {
  if (digits.size() != 2 * kSize) {
    return tl::make_unexpected(fmt::format("a key has {} hexadecimal digits, this has {} characters (wsl4ctl keygen makes one)",
                                           2 * kSize, digits.size()));
  }
  Bytes bytes{};
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
    if (!high || !low) return tl::make_unexpected(std::string("a key has hexadecimal digits only (wsl4ctl keygen makes one)"));
    bytes.at(i) = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  return Key(bytes);
}

std::string Key::text() const { return hex(bytes_.data(), bytes_.size()); }

tl::expected<Keys, std::vector<std::string>> parse_keys(std::string_view text, const std::string& file) {
  Keys keys;
  std::vector<std::string> problems;
  std::size_t number = 0;
  const auto tell = [&](std::string_view problem) { problems.push_back(fmt::format("{}:{}: {}", file, number, problem)); };
  while (!text.empty()) {
    const auto whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    ++number;
    const auto line = trimmed(whole);
    if (line.empty() || line.starts_with('#')) continue;
    auto key = Key::parse(line);
    if (!key) {
      tell(key.error());
    } else if (std::ranges::find(keys, key->id(), &Key::id) != keys.end()) {
      continue;  // as when the last line was copied to the front
    } else if (keys.size() == kMaxKeys) {
      tell(fmt::format("there are more than {} keys", kMaxKeys));
      break;
    } else {
      keys.push_back(*std::move(key));
    }
  }
  if (keys.empty() && problems.empty()) problems.push_back(fmt::format("{}: has no key (wsl4ctl keygen makes one)", file));
  if (!problems.empty()) return tl::make_unexpected(std::move(problems));
  return keys;
}

tl::expected<Keys, std::vector<std::string>> load_keys(const std::string& file) {
  auto text = util::read_secret_file(file, kMode);
  if (!text) return tl::make_unexpected(std::vector{std::move(text.error())});
  auto keys = parse_keys(*text, file);
  ::OPENSSL_cleanse(text->data(), text->size());
  return keys;
}

tl::expected<void, std::string> make_key_file(const std::string& file, const Key& key, const std::string& owner) {
  const netlink::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode));
  if (!fd && errno == EEXIST) {
    return tl::make_unexpected(
        fmt::format("{0} is there already and was left as it is (for a further key: wsl4ctl keygen >> {0})", file));
  }
  if (!fd) return tl::make_unexpected(fmt::format("cannot create {}: {}", file, system_error()));
  const passwd* const user = ::geteuid() == 0 ? ::getpwnam(owner.c_str()) : nullptr;
  const bool done =
      (user == nullptr || ::fchown(fd.get(), user->pw_uid, user->pw_gid) == 0) && write_line(fd.get(), key.text() + "\n");
  if (done) return {};
  auto problem = fmt::format("cannot write {}: {}", file, system_error());
  ::unlink(file.c_str());
  return tl::make_unexpected(std::move(problem));
}

}  // namespace wsl4::peer
