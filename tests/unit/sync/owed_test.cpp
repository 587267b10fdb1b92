#include "sync/owed.h"

#include <gtest/gtest.h>

namespace wsl4::sync {
namespace {

class OwedFlows : public testing::Test {
 protected:
  OwedFlows() { vip_ = dictionary_.acquire({}).value(); }
  [[nodiscard]] FlowKey key(std::uint16_t port) const { return {{}, vip_, port}; }
  /// The port of what is taken; 0: nothing.
  std::uint16_t take(std::uint64_t number) {
    const auto taken = owed_.take(number);
    return taken ? taken->key.client_port : std::uint16_t{0};
  }
  std::vector<std::uint16_t> acknowledge(std::uint64_t number) {
    std::vector<std::uint16_t> ports;
    owed_.acknowledge(number, [&](const FlowKey& one) { ports.push_back(one.client_port); });
    return ports;
  }
  Dictionary dictionary_;
  TermIndex vip_ = 0;
  Owed owed_{dictionary_};
};

TEST_F(OwedFlows, WaitOnceInTheOrderOfTheirFirstChange) {
  owed_.mark(key(1), 10);
  owed_.mark(key(2), 11);
  owed_.mark(key(1), 12);
  EXPECT_EQ(owed_.waiting(), 2U);
  EXPECT_EQ(owed_.oldest(), 10U);
  EXPECT_EQ(take(1), 1);
  EXPECT_EQ(take(1), 2);
  EXPECT_EQ(take(1), 0);
}

TEST_F(OwedFlows, AreOwedUntilAcknowledged) {
  for (std::uint16_t port = 1; port <= 3; ++port) owed_.mark(key(port), port);
  EXPECT_EQ(take(1), 1);
  EXPECT_EQ(take(2), 2);
  EXPECT_EQ(owed_.in_flight(), 2U);
  EXPECT_EQ(owed_.oldest(), 1U);
  EXPECT_EQ(acknowledge(1), (std::vector<std::uint16_t>{1}));
  EXPECT_EQ(owed_.oldest(), 2U);
  EXPECT_EQ(acknowledge(9), (std::vector<std::uint16_t>{2}));
  EXPECT_EQ(owed_.oldest(), 3U);
  EXPECT_EQ(take(10), 3);
  acknowledge(10);
  EXPECT_TRUE(owed_.empty());
  EXPECT_EQ(owed_.oldest(), std::nullopt);
}

TEST_F(OwedFlows, WaitAgainIfTheyChangeOnTheWay) {
  owed_.mark(key(1), 1);
  EXPECT_EQ(take(1), 1);
  owed_.mark(key(1), 2);
  EXPECT_EQ(acknowledge(1), (std::vector<std::uint16_t>{1}));
  EXPECT_EQ(owed_.waiting(), 1U) << "that was the older state";
  EXPECT_EQ(take(2), 1);
}

TEST_F(OwedFlows, WaitFirstAfterALostConsumer) {
  owed_.mark(key(1), 1);
  owed_.mark(key(2), 2);
  EXPECT_EQ(take(1), 1);
  EXPECT_EQ(take(2), 2);
  owed_.mark(key(3), 3);
  owed_.mark(key(1), 4);  // changed on the way
  owed_.requeue();
  EXPECT_EQ(owed_.in_flight(), 0U);
  EXPECT_EQ(owed_.waiting(), 3U);
  EXPECT_EQ(owed_.oldest(), 1U);
  EXPECT_EQ(take(3), 1);
  EXPECT_EQ(take(3), 2);
  EXPECT_EQ(take(3), 3);
  EXPECT_EQ(take(3), 0) << "the first is not served twice";
  acknowledge(3);
  dictionary_.release(vip_);
  EXPECT_EQ(dictionary_.size(), 0U) << "nothing is held for it either";
}

TEST_F(OwedFlows, HoldTheirVip) {
  owed_.mark(key(1), 1);
  owed_.mark(key(2), 1);
  take(1);
  dictionary_.release(vip_);
  EXPECT_EQ(dictionary_.size(), 1U) << "its number must not be given away";
  owed_.requeue();
  owed_.mark(key(1), 1);
  take(2);
  acknowledge(2);
  EXPECT_EQ(dictionary_.size(), 1U);
  owed_.clear();
  EXPECT_EQ(dictionary_.size(), 0U);
}

}  // namespace
}  // namespace wsl4::sync
