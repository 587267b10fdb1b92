#include "daemon/election/advert.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/election/ip.h"

namespace wsl4::election {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

Bytes bytes(std::string_view hex) {
  Bytes out;
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return out;
}

// As keepalived 2.2.7 sent them and tcpdump 4.99.3 took them for right.
const Bytes kKeepalived4 = bytes("3133 9602 000a 01be c612 0196 c612 0197");
const Bytes kKeepalived6 =
    bytes("3133 9602 000a 940c 2001 0db8 0001 0000 0000 0000 0000 0150 2001 0db8 0001 0000 0000 0000 0000 0151");
const Advert kAdvert4{51, 150, 100ms, {ip("198.18.1.150"), ip("198.18.1.151")}};
const Advert kAdvert6{51, 150, 100ms, {ip("2001:db8:1::150"), ip("2001:db8:1::151")}};

Packet packet4(const Bytes& message) { return {ip("198.18.1.10"), ip("224.0.0.18"), 255, message}; }
Packet packet6(const Bytes& message) { return {ip("fe80::74b9:70ff:fe2b:648b"), ip("ff02::12"), 255, message}; }
const Listening kListening{51, {}};

std::string outcome(const Packet& packet, const Listening& listening = kListening) {
  const auto advert = decode(packet, listening);
  return advert ? "advert" : std::string(to_string(advert.error()));
}

/// The message with one byte another and the checksum right again.
Bytes changed(std::size_t at, std::uint8_t value) {
  Bytes message = kKeepalived4;
  const auto word_at = [&message](std::size_t first) { return message[first] * 256U + message[first + 1]; };
  const auto old_word = word_at(at & ~std::size_t{1});
  message[at] = value;
  const auto new_word = word_at(at & ~std::size_t{1});
  auto sum = word_at(6);  // RFC 1624 eqn. 4 is enough here
  sum = sum + old_word + (~new_word & 0xffffU);
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
  message[6] = static_cast<std::uint8_t>(sum >> 8U);
  message[7] = static_cast<std::uint8_t>(sum);
  return message;
}

TEST(Advert, IsWhatKeepalivedSends) {
  EXPECT_EQ(encode(kAdvert4, ip("198.18.1.10"), ip("224.0.0.18")).value(), kKeepalived4);
  EXPECT_EQ(encode(kAdvert6, ip("fe80::74b9:70ff:fe2b:648b"), ip("ff02::12")).value(), kKeepalived6);
  EXPECT_EQ(decode(packet4(kKeepalived4), kListening).value(), kAdvert4);
  EXPECT_EQ(decode(packet6(kKeepalived6), kListening).value(), kAdvert6);
}

TEST(Advert, IsTakenWithoutAPseudoHeaderInIpv4Only) {
  const auto four = encode(kAdvert4, ip("0.0.0.0"), ip("0.0.0.0")).value();
  Bytes plain = four;  // its checksum covers length and protocol too: take them out
  unsigned sum = plain[6] * 256U + plain[7] + 16U + kVrrpProtocol;
  sum = (sum & 0xffffU) + (sum >> 16U);
  plain[6] = static_cast<std::uint8_t>(sum >> 8U);
  plain[7] = static_cast<std::uint8_t>(sum);
  EXPECT_EQ(outcome(packet4(plain)), "advert");
  EXPECT_EQ(outcome(packet4(four)), "checksum");
  const auto six = encode(kAdvert6, ip("::"), ip("::")).value();
  EXPECT_EQ(outcome(packet6(six)), "checksum");
}

TEST(Advert, ComesBackAsItWas) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{16}, kMaxAdvertAddresses}) {
    for (const auto interval : {10ms, 100ms, 40'000ms, 40'950ms}) {
      for (const auto* source : {"198.18.1.10", "fe80::1"}) {
        Advert advert{255, 254, interval, {}};
        auto address = ip(ip(source).family() == Family::kIpv4 ? "198.18.9.1" : "2001:db8::1");
        for (std::size_t i = 0; i < count; ++i, address = address.next()) advert.addresses.push_back(address);
        const auto group = advert_group(ip(source).family());
        const auto message = encode(advert, ip(source), group).value();
        EXPECT_EQ(decode({ip(source), group, 255, message}, {255, {}}).value(), advert);
      }
    }
  }
}

TEST(Advert, IsRefusedWhereItDoesNotFit) {
  const auto refusal = [](const std::function<void(Advert&)>& spoil) {
    auto advert = kAdvert4;
    spoil(advert);
    const auto message = encode(advert, ip("198.18.1.10"), ip("224.0.0.18"));
    return message ? "" : message.error();
  };
  EXPECT_EQ(refusal([](Advert&) {}), "");
  EXPECT_EQ(refusal([](Advert& advert) { advert.interval = 9ms; }), "advert: advert interval 9 ms (10-40950 in steps of 10)");
  EXPECT_EQ(refusal([](Advert& advert) { advert.interval = 40'960ms; }),
            "advert: advert interval 40960 ms (10-40950 in steps of 10)");
  EXPECT_EQ(refusal([](Advert& advert) { advert.interval = 105ms; }), "advert: advert interval 105 ms (10-40950 in steps of 10)");
  EXPECT_EQ(refusal([](Advert& advert) { advert.addresses.clear(); }), "advert: 0 addresses (1-255)");
  EXPECT_EQ(refusal([](Advert& advert) { advert.addresses.resize(256); }), "advert: 256 addresses (1-255)");
  EXPECT_EQ(refusal([](Advert& advert) { advert.addresses.push_back(ip("::1")); }), "advert: ::1 is not of the advert's family");
  EXPECT_EQ(refusal([](Advert& advert) { advert.vrid = 0; }), "advert: virtual router id 0");
}

TEST(Advert, EachRejectionHasItsReason) {
  auto packet = packet4(kKeepalived4);
  for (const int ttl : {254, 1, 0, -1}) {
    packet.ttl = ttl;
    EXPECT_EQ(outcome(packet), "ttl");
  }
  EXPECT_EQ(outcome(packet4(changed(0, 0x21))), "version");
  EXPECT_EQ(outcome(packet4(changed(0, 0x32))), "type");
  EXPECT_EQ(outcome(packet4(changed(1, 52))), "vrid");
  EXPECT_EQ(outcome(packet4(changed(2, 255))), "advert");
  EXPECT_EQ(outcome(packet4(changed(3, 1))), "length");
  EXPECT_EQ(outcome(packet4(changed(3, 3))), "length");
  EXPECT_EQ(outcome(packet4(changed(4, 0xf0))), "advert") << "reserved bits";
  EXPECT_EQ(outcome(packet4(changed(5, 0))), "interval");
  const Bytes empty = bytes("3133 9600 000a 5ac0");
  EXPECT_EQ(outcome(packet4(empty)), "checksum");
  Bytes none = bytes("3133 9600 000a 0000");
  const unsigned sum = 0x3133 + 0x9600 + 0x000a;
  none[6] = static_cast<std::uint8_t>(~sum >> 8U);
  none[7] = static_cast<std::uint8_t>(~sum);
  EXPECT_EQ(outcome(packet4(none)), "no_addresses");
}

TEST(Advert, EveryLostOrSpoiltByteIsNoticed) {
  for (std::size_t size = 0; size < kKeepalived6.size(); ++size) {
    const Bytes cut(kKeepalived6.begin(), kKeepalived6.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(outcome(packet6(cut)), "length") << size;
  }
  for (const auto& whole : {kKeepalived4, kKeepalived6}) {
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Bytes spoilt = whole;
      spoilt[bit / 8] = static_cast<std::uint8_t>(spoilt[bit / 8] ^ (1U << bit % 8));
      EXPECT_NE(outcome(whole.size() == 16 ? packet4(spoilt) : packet6(spoilt)), "advert") << bit;
    }
  }
}

TEST(Advert, OfStrangersIsNone) {
  auto packet = packet4(kKeepalived4);
  packet.destination = ip("198.18.1.2");
  EXPECT_EQ(outcome(packet), "stranger") << "not to the group";
  const Listening peer{51, ip("198.18.1.10")};
  EXPECT_EQ(outcome(packet, peer), "checksum") << "from the peer, but the checksum is of the group's";
  packet.source = ip("198.18.1.11");
  EXPECT_EQ(outcome(packet, peer), "stranger");
  auto global = packet6(kKeepalived6);
  global.source = ip("2001:db8:1::10");
  EXPECT_EQ(outcome(global), "stranger") << "not link-local";
  const auto message = encode(kAdvert4, ip("198.18.1.10"), ip("198.18.1.2")).value();
  EXPECT_EQ(outcome({ip("198.18.1.10"), ip("198.18.1.2"), 255, message}, peer), "advert");
}

}  // namespace
}  // namespace wsl4::election
