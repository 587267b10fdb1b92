#include "daemon/host/local_sockets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace wsl4::host {
namespace {

using netlink::Endpoint;
using netlink::IpAddress;

enum class TcpState : std::uint8_t { kTimeWait = 6, kListen = 10 };  // kernel include/net/tcp_states.h

constexpr std::size_t kWord = 8;                                                           // digits
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // ::ffff:0:0/96, RFC 4291 2.5.5.2

template <class Number>
std::optional<Number> hex(std::string_view text) {
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Words of 32 bits as the machine reads them from memory, most significant digit first.
std::optional<IpAddress> parse_address(std::string_view text) {
  std::array<std::uint8_t, 16> bytes{};
  if (text.size() != kWord && text.size() != 4 * kWord) return std::nullopt;
  for (std::size_t first = 0; first < text.size(); first += kWord) {
    const auto word = hex<std::uint32_t>(text.substr(first, kWord));
    if (!word) return std::nullopt;
    std::memcpy(bytes.data() + first / 2, &*word, sizeof *word);
  }
  const auto address = std::span(bytes).first(text.size() / 2);
  const bool mapped = address.size() == bytes.size() && std::ranges::equal(address.first(kMapped.size()), kMapped);
  return IpAddress::from_bytes(mapped ? address.last(4) : address);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, colon));
  const auto port = hex<std::uint16_t>(text.substr(colon + 1));
  if (!address || !port) return std::nullopt;
  return Endpoint{*address, *port};
}

}  // namespace

void parse_sockets(std::istream& file, LocalSocketsByEndpoint& sockets) {
  std::string line, number, local, remote, state;
  while (std::getline(file, line)) {
    if (!(std::istringstream(line) >> number >> local >> remote >> state)) continue;
    const auto endpoint = parse_endpoint(local);
    const auto code = hex<std::uint8_t>(state);
    if (!endpoint || !code || TcpState{*code} == TcpState::kTimeWait) continue;
    auto& here = sockets[*endpoint];
    if (TcpState{*code} == TcpState::kListen)
      here.listens = true;
    else
      ++here.connections;
  }
}

LocalSocketsByEndpoint read_local_sockets() {
  LocalSocketsByEndpoint sockets;
  // /proc/net would show the namespace of the process's first thread.
  for (const char* path : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
    std::ifstream file(path);
    parse_sockets(file, sockets);
  }
  return sockets;
}

}  // namespace wsl4::host
