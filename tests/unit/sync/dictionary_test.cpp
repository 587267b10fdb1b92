#include "sync/dictionary.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

Term term(std::uint8_t host, std::uint16_t port = 80, std::uint8_t protocol = 0) {
  return {test::sync_endpoint(Family::kIpv4, 0, host, 0).address, port, protocol};
}

TEST(Dictionary, GivesEachTermOneNumber) {
  Dictionary dictionary;
  const auto one = dictionary.acquire(term(1));
  EXPECT_EQ(dictionary.acquire(term(1)), one);
  EXPECT_NE(dictionary.acquire(term(2)), one);
  EXPECT_NE(dictionary.acquire(term(1, 81)), one);
  EXPECT_NE(dictionary.acquire(term(1, 80, 6)), one);
  EXPECT_EQ(dictionary.size(), 4U);
  EXPECT_EQ(dictionary.term(*one), term(1));
  EXPECT_EQ(dictionary.find(term(3)), std::nullopt);
}

TEST(Dictionary, GivesANumberAwayOnceNobodyHoldsIt) {
  Dictionary dictionary;
  const auto one = dictionary.acquire(term(1)).value();
  const auto generation = dictionary.generation(one);
  EXPECT_GT(generation, 0U);
  dictionary.retain(one);
  dictionary.release(one);
  EXPECT_EQ(dictionary.find(term(1)), one) << "still held once";
  dictionary.release(one);
  EXPECT_EQ(dictionary.find(term(1)), std::nullopt);
  EXPECT_EQ(dictionary.acquire(term(2)), one);
  EXPECT_NE(dictionary.generation(one), generation);
}

TEST(Dictionary, KnowsTheClientItself) {
  Dictionary dictionary;
  dictionary.retain(kClientItself);
  dictionary.release(kClientItself);
  EXPECT_EQ(dictionary.hash(kClientItself), 0U);
}

TEST(Dictionary, IsFullAtItsLimit) {
  Dictionary dictionary;
  Term many = term(0);
  for (std::uint32_t i = 0; i < kMaxTerms; ++i) {
    many.address.bytes[1] = static_cast<std::uint8_t>(i >> 16);
    many.port = static_cast<std::uint16_t>(i);
    ASSERT_TRUE(dictionary.acquire(many));
  }
  many.address.bytes[1] = 0xff;
  EXPECT_EQ(dictionary.acquire(many), std::nullopt);
  dictionary.release(7);
  EXPECT_EQ(dictionary.acquire(many), 7U);
}

TEST(ContentHash, IsTheSameOnEveryNode) {
  EXPECT_EQ(content_hash(term(1, 443, 6)), 2177252118160354494U) << "part of the wire format: buckets and digests depend on it";
}

}  // namespace
}  // namespace wsl4::sync
