#include "daemon/http/utf8.h"

namespace wsl4::http {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Of the well-formed sequence at the front; 0: there is none.
std::size_t sequence_size(std::string_view text) {
  const auto byte = [text](std::size_t index) -> unsigned { return static_cast<unsigned char>(text[index]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const unsigned second = byte(1);  // neither overlong, nor a surrogate, nor above U+10FFFF
  const bool wrong = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
                     (lead == 0xF4 && second > 0x8F);
  return wrong ? 0 : size;
}

}  // namespace

std::string well_formed(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto size = sequence_size(text);
    result += size == 0 ? kReplacement : text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return result;
}

}  // namespace wsl4::http
