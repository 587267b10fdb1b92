#include "daemon/election/advert.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "netlink/checksum.h"
#include "sync/bytes.h"

namespace wsl4::election {

namespace {

constexpr unsigned kVersion = 3, kTypeAdvertisement = 1;
constexpr std::size_t kChecksumAt = 6;  // bytes
constexpr unsigned kIntervalBits = 0x0fff;
constexpr std::chrono::milliseconds kCentisecond{10};

/// Over a message that holds its checksum the sum is 0 (RFC 1071).
bool checksum_holds(const Packet& packet) {
  if (netlink::transport_checksum(packet.source, packet.destination, kVrrpProtocol, packet.message) == 0) return true;
  if (packet.source.family() == Family::kIpv6) return false;
  const IpAddress none;  // zero addresses and no protocol: the pseudo-header is but the length, and that is taken out again
  const auto with_length = netlink::transport_checksum(none, none, 0, packet.message);
  return with_length == static_cast<std::uint16_t>(~packet.message.size());
}

bool is_stranger(const Packet& packet, const Listening& listening) {
  if (packet.source.family() != packet.destination.family()) return true;
  if (listening.unicast_peer) return packet.source != *listening.unicast_peer;
  if (packet.destination != advert_group(packet.source.family())) return true;
  return packet.source.family() == Family::kIpv6 && !packet.source.is_link_local();
}

std::optional<std::string> misfit(const Advert& advert, Family family) {
  if (advert.vrid == 0) return "virtual router id 0";
  if (advert.interval < kMinAdvertInterval || advert.interval > kMaxAdvertInterval ||
      (advert.interval % kCentisecond).count() != 0) {
    return fmt::format("advert interval {} ms (10-40950 in steps of 10)", advert.interval.count());
  }
  if (advert.addresses.empty() || advert.addresses.size() > kMaxAdvertAddresses) {
    return fmt::format("{} addresses (1-{})", advert.addresses.size(), kMaxAdvertAddresses);
  }
  for (const auto& address : advert.addresses) {
    if (address.family() != family) return fmt::format("{} is not of the advert's family", address.to_string());
  }
  return {};
}

}  // namespace

IpAddress advert_group(Family family) { return *IpAddress::parse(family == Family::kIpv4 ? "224.0.0.18" : "ff02::12"); }

tl::expected<std::vector<std::uint8_t>, std::string> encode(const Advert& advert, const IpAddress& source,
                                                            const IpAddress& destination) {
  if (const auto wrong = misfit(advert, source.family())) return tl::make_unexpected("advert: " + *wrong);
  const auto interval = static_cast<unsigned>(advert.interval / kCentisecond);
  std::vector<std::uint8_t> message{static_cast<std::uint8_t>(kVersion << 4U | kTypeAdvertisement),
                                    advert.vrid,
                                    advert.priority,
                                    static_cast<std::uint8_t>(advert.addresses.size()),
                                    static_cast<std::uint8_t>(interval >> 8U),
                                    static_cast<std::uint8_t>(interval),
                                    0,
                                    0};
  for (const auto& address : advert.addresses) message.insert(message.end(), address.bytes().begin(), address.bytes().end());
  const auto checksum = netlink::transport_checksum(source, destination, kVrrpProtocol, message);
  message[kChecksumAt] = static_cast<std::uint8_t>(checksum >> 8U);
  message[kChecksumAt + 1] = static_cast<std::uint8_t>(checksum);
  return message;
}

std::string_view to_string(Rejection rejection) {
  constexpr std::array<std::string_view, kRejections> kNames{"ttl",      "stranger", "version",      "type",    "length",
                                                             "checksum", "vrid",     "no_addresses", "interval"};
  return kNames.at(static_cast<std::size_t>(rejection));
}

tl::expected<Advert, Rejection> decode(const Packet& packet, const Listening& listening) {
  if (packet.ttl != kAdvertTtl) return tl::make_unexpected(Rejection::kTtl);
  if (is_stranger(packet, listening)) return tl::make_unexpected(Rejection::kStranger);
  sync::ByteReader in(packet.message);
  const unsigned version_and_type = in.u8();
  Advert advert;
  advert.vrid = in.u8();
  advert.priority = in.u8();
  const std::size_t count = in.u8();
  advert.interval = kCentisecond * (in.u16() & kIntervalBits);
  (void)in.u16();  // the checksum
  if (!in.ok()) return tl::make_unexpected(Rejection::kLength);
  if (version_and_type >> 4U != kVersion) return tl::make_unexpected(Rejection::kVersion);
  if ((version_and_type & 0xfU) != kTypeAdvertisement) return tl::make_unexpected(Rejection::kType);
  for (std::size_t i = 0; i < count; ++i) {
    const auto address = IpAddress::from_bytes(in.bytes(packet.source.size()));
    if (address) advert.addresses.push_back(*address);
  }
  if (!in.ok() || !in.at_end()) return tl::make_unexpected(Rejection::kLength);
  if (!checksum_holds(packet)) return tl::make_unexpected(Rejection::kChecksum);
  if (advert.vrid != listening.vrid) return tl::make_unexpected(Rejection::kVrid);
  if (count == 0) return tl::make_unexpected(Rejection::kNoAddresses);
  if (advert.interval.count() == 0) return tl::make_unexpected(Rejection::kInterval);
  return advert;
}

}  // namespace wsl4::election
