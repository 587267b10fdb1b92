#include "daemon/util/to_asio.h"

#include <algorithm>

namespace wsl4::util {

namespace asio = boost::asio;

asio::ip::tcp::endpoint to_asio(const netlink::Endpoint& endpoint) {
  const auto bytes = endpoint.address.bytes();
  if (endpoint.address.family() == netlink::Family::kIpv4) {
    asio::ip::address_v4::bytes_type raw{};
    std::ranges::copy(bytes, raw.begin());
    return {asio::ip::address_v4(raw), endpoint.port};
  }
  asio::ip::address_v6::bytes_type raw{};
  std::ranges::copy(bytes, raw.begin());
  return {asio::ip::address_v6(raw), endpoint.port};
}

}  // namespace wsl4::util
