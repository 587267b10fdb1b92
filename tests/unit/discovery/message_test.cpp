#include "daemon/discovery/message.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/support/dns_message.h"

namespace wsl4::discovery {
namespace {

using std::chrono::seconds;
using test::dns::Bytes;
using test::dns::Record;
namespace dns = test::dns;

const Question kA{"a.example", RecordType::kA}, kAaaa{"a.example", RecordType::kAaaa}, kSrv{"_ws._tcp.a.example", RecordType::kSrv};

netlink::IpAddress ip(const char* text) { return *netlink::IpAddress::parse(text); }

Answer read(const Question& question, const std::vector<Record>& records) {
  const auto answer = parse_answer(dns::answer(7, question, records), question);
  EXPECT_TRUE(answer) << answer.error();
  return answer.value_or(Answer{});
}

bool fails(const Bytes& message, const Question& question = kA) {
  const auto answer = parse_answer(message, question);
  return !answer && !answer.error().empty();
}

TEST(DnsMessage, AddressesWithTheirLowestTtl) {
  const Answer answer = read(kA, {dns::address("", "198.18.0.2", 300), dns::address("A.Example", "198.18.0.1", 60)});
  EXPECT_EQ(answer, (Answer{{ip("198.18.0.2"), ip("198.18.0.1")}, {}, seconds(60)}));
  EXPECT_EQ(read(kAaaa, {dns::address("", "2001:db8::1", 5)}), (Answer{{ip("2001:db8::1")}, {}, seconds(5)}));
}

TEST(DnsMessage, Services) {
  const SrvRecord one{10, 60, 8888, "one.a.example"}, two{0, 65535, 1, "two.a.example"}, none{0, 0, 0, ""};
  EXPECT_EQ(read(kSrv, {dns::service("", one, 30), dns::service("", two, 20), dns::service("", none, 40)}),
            (Answer{{}, {one, two, none}, seconds(20)}));
}

TEST(DnsMessage, OnlyWhatWasAskedForCounts) {
  auto chaos = dns::address("", "198.18.0.9", 1);
  chaos.class_code = 3;
  EXPECT_EQ(read(kA, {dns::address("b.example", "198.18.0.9", 1), dns::address("", "2001:db8::9", 1), chaos}), Answer{});
  EXPECT_EQ(read(kA, {}), Answer{});
}

TEST(DnsMessage, AliasesAreFollowedInAnyOrderAndTheirTtlCounts) {
  const std::vector<Record> records{dns::address("c.example", "198.18.0.1", 60), dns::alias("b.example", "C.example", 7),
                                    dns::alias("", "b.example", 60), dns::alias("x.example", "y.example", 1)};
  EXPECT_EQ(read(kA, records), (Answer{{ip("198.18.0.1")}, {}, seconds(7)}));
  EXPECT_EQ(read(kA, {dns::alias("", "nowhere.example", 7)}), Answer{});
}

TEST(DnsMessage, EndlessAliasesAreAnError) {
  EXPECT_TRUE(fails(dns::answer(7, kA, {dns::alias("", "b.example", 7), dns::alias("b.example", "a.example", 7)})));
  EXPECT_TRUE(fails(dns::answer(7, kA, {dns::alias("", "a.example", 7)})));
}

TEST(DnsMessage, TtlsBeyond31BitsAreZero) {
  EXPECT_EQ(read(kA, {dns::address("", "198.18.0.1", 0x7fffffff)}).ttl, seconds(0x7fffffff));
  EXPECT_EQ(read(kA, {dns::address("", "198.18.0.1", 0x80000000)}).ttl, seconds(0));
}

TEST(DnsMessage, NamesOfOtherBytesAreMarked) {
  SrvRecord odd{0, 0, 80,
                "a b.a\x01"
                "c.example"};
  const auto answer = read(kSrv, {dns::service("", odd, 1)});
  ASSERT_EQ(answer.services.size(), 1U);
  EXPECT_EQ(answer.services[0].target, "a?b.a?c.example");
}

TEST(DnsMessage, PointersWithinNames) {
  auto record = dns::service("", {1, 2, 3, "web"}, 9);
  record.data.back() = 0xc0;  // "web" and then a.example, behind "_ws._tcp." of the question
  record.data.push_back(12 + 9);
  EXPECT_EQ(read(kSrv, {record}).services.at(0).target, "web.a.example");
}

TEST(DnsMessage, PointersThatLeadNowhereOrInCircles) {
  for (const unsigned target : {0U, 12U + 19U, 12U + 19U + 4U, 0x3fffU}) {
    auto record = dns::service("", {1, 2, 3, ""}, 9);
    record.data.back() = static_cast<std::uint8_t>(0xc0U | target >> 8U);
    record.data.push_back(static_cast<std::uint8_t>(target));
    const auto message = dns::answer(7, kSrv, {record});
    const auto answer = parse_answer(message, kSrv);
    EXPECT_TRUE(!answer || answer->services.at(0).target.size() < 256) << target;
  }
  // A name whose pointer leads to itself, to what follows it, or beyond the message.
  for (const int target : {12, 13, 40, 255}) {
    Bytes message = dns::answer(7, {"", RecordType::kA}, {});
    message[12] = 0xc0;
    message.insert(message.begin() + 13, static_cast<std::uint8_t>(target));
    EXPECT_TRUE(fails(message)) << target;
  }
}

TEST(DnsMessage, NamesThatAreTooLong) {
  std::string name;
  for (int i = 0; i < 5; ++i) name += std::string(60, 'a') + ".";
  EXPECT_TRUE(fails(dns::answer(7, kSrv, {dns::service("", {1, 2, 3, name}, 9)}), kSrv));
  EXPECT_TRUE(fails(dns::answer(7, kSrv, {dns::service("", {1, 2, 3, std::string(64, 'a')}, 9)}), kSrv));
}

TEST(DnsMessage, RecordsOfTheWrongSize) {
  auto record = dns::address("", "198.18.0.1", 1);
  record.data.push_back(0);
  EXPECT_TRUE(fails(dns::answer(7, kA, {record})));
  record.data.clear();
  EXPECT_TRUE(fails(dns::answer(7, kA, {record})));
  auto six = dns::address("", "2001:db8::1", 1);
  six.type = 1;
  EXPECT_TRUE(fails(dns::answer(7, kA, {six})));
  auto service = dns::service("", {1, 2, 3, "b"}, 1);
  service.data.push_back(0);
  EXPECT_TRUE(fails(dns::answer(7, kSrv, {service}), kSrv));
}

TEST(DnsMessage, ATruncatedAnswerIsNone) { EXPECT_TRUE(fails(dns::answer(7, kA, {dns::address("", "198.18.0.1", 1)}, 0, true))); }

TEST(DnsMessage, CutAtEveryByteItIsAnError) {
  const std::vector<Record> records{dns::service("", {1, 2, 3, "b.example"}, 1), dns::service("", {1, 2, 3, "c.example"}, 1)};
  const auto message = dns::answer(7, kSrv, records);
  ASSERT_FALSE(fails(message, kSrv));
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_TRUE(fails({message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)}, kSrv)) << size;
  }
}

TEST(DnsMessage, FlippedBytesNeverLeadOutOfTheMessage) {
  const std::uint32_t seed = 20'261;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto message = dns::answer(7, kSrv, {dns::alias("", "b.example", 1), dns::service("b.example", {1, 2, 3, "c.example"}, 1)});
  for (int round = 0; round < 20'000; ++round) {
    auto broken = message;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) broken[random() % broken.size()] = static_cast<std::uint8_t>(random());
    const auto answer = parse_answer(broken, kSrv);
    if (!answer) continue;
    for (const auto& service : answer->services) EXPECT_LE(service.target.size(), 255U);
    EXPECT_TRUE(answer->addresses.empty());
  }
}

}  // namespace
}  // namespace wsl4::discovery
