// docs/wire-format.md has an example; it is what the encoder writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "sync/encoder.h"

namespace wsl4::sync {
namespace {

Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) { return {{a, b, c, d}, Family::kIpv4}; }

std::string hex(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (const auto byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

TEST(WireFormatPage, ShowsWhatIsWritten) {
  std::vector<std::uint8_t> bytes;
  {
    FrameWriter frame(bytes, FrameType::kFlows);
    auto& out = frame.payload();
    write(out, FlowsHeader{1});
    write(out, Define{0, {ipv4(203, 0, 113, 10), 443, 6}});
    write(out, Define{1, {ipv4(198, 51, 100, 101), 8888, 0}});
    write(out, Define{2, {ipv4(198, 51, 100, 16), 0, 0}});
    const FlowKey key{ipv4(192, 0, 2, 7).bytes, 0, 40'000};
    write(out, Upsert{Family::kIpv4, {key, {1, 2, 432'000, 1'234, 3, 7, 9, 0x23, 0x33, 0}}});
    write(out, Erase{Family::kIpv4, key});
  }
  std::ifstream file(WSL4_SOURCE_DIR "/docs/wire-format.md");
  std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::erase_if(page, [](unsigned char c) { return std::isspace(c) != 0; });
  EXPECT_NE(page.find("```" + hex(bytes) + "```"), std::string::npos) << hex(bytes);
}

}  // namespace
}  // namespace wsl4::sync
