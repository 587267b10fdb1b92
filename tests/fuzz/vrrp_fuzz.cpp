// A packet as anybody on the network may send it: the first byte says how it came, the second is its TTL, the rest the message.
// With a fourth bit in the first byte its checksum is made right, so that what lies behind the checksum is reached too. What is an
// advert keeps within its bounds, can be sent again as it is, and leaves the machines with a due time that lies ahead.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "daemon/election/role.h"
#include "netlink/checksum.h"

namespace {

using namespace wsl4::election;

void check(bool holds) {
  if (!holds) std::abort();
}

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

struct Came {
  IpAddress source, destination;
  Listening listening;
};

Came how(unsigned bits) {
  const bool ipv4 = (bits & 1U) == 0, unicast = (bits & 2U) != 0;
  const auto source = ip(ipv4 ? "198.18.0.1" : "fe80::1");
  if (unicast) return {source, ip(ipv4 ? "198.18.0.2" : "fe80::2"), {51, (bits & 4U) != 0 ? ip("198.18.0.3") : source}};
  return {source, (bits & 4U) != 0 ? ip(ipv4 ? "198.18.0.2" : "fe80::2") : advert_group(source.family()), {51, {}}};
}

void mend_checksum(std::vector<std::uint8_t>& message, const Came& came) {
  if (message.size() < 8) return;
  message[6] = message[7] = 0;
  const auto sum = wsl4::netlink::transport_checksum(came.source, came.destination, kVrrpProtocol, message);
  message[6] = static_cast<std::uint8_t>(sum >> 8U);
  message[7] = static_cast<std::uint8_t>(sum);
}

void check_machine(const Advert& advert, const IpAddress& source, bool active) {
  const auto start = TimePoint{} + std::chrono::hours(1);
  RoleMachine::Settings settings;
  settings.vrrp.address = ip("198.18.0.2");
  RoleMachine machine(settings, start);
  auto now = start + std::chrono::seconds(active ? 2 : 0);
  machine.tick(now);
  machine.tick(now + RoleMachine::kListen);
  now += RoleMachine::kListen;
  check((machine.role() == Role::kActive) == active);
  machine.advert(advert, source, now);
  if (active && advert.priority > 100) check(machine.role() == Role::kStandby);
  if (active && advert.priority < 100) check(machine.role() == Role::kActive);
  check(machine.due().has_value());
  check(*machine.due() < now + std::chrono::minutes(3));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto came = how(data[0]);
  std::vector<std::uint8_t> message(data + 2, data + size);
  if ((data[0] & 8U) != 0) mend_checksum(message, came);
  const auto advert = decode({came.source, came.destination, data[1], message}, came.listening);
  if (!advert) {
    check(!to_string(advert.error()).empty());
    return 0;
  }
  check(data[1] == kAdvertTtl && advert->vrid == 51);
  check(!advert->addresses.empty() && advert->addresses.size() <= kMaxAdvertAddresses);
  check(advert->interval >= kMinAdvertInterval && advert->interval <= kMaxAdvertInterval);
  const auto again = encode(*advert, came.source, came.destination);
  check(again.has_value());
  check(decode({came.source, came.destination, kAdvertTtl, *again}, came.listening) == advert);
  check_machine(*advert, came.source, false);
  check_machine(*advert, came.source, true);
  return 0;
}
