#include "sync/flow_table.h"

#include <gtest/gtest.h>

#include "tests/support/sync_flows.h"

namespace wsl4::sync {
namespace {

using test::sync_flow;

class FlowTables : public testing::Test {
 protected:
  bool put(FlowTable& table, const Flow& flow) {
    const auto record = acquire(dictionary_, flow).value();
    const bool changed = table.put(record);
    release(dictionary_, record);
    return changed;
  }
  bool erase(FlowTable& table, const Flow& flow) { return table.erase(find_key(dictionary_, flow).value()); }
  static std::vector<std::uint64_t> digests(const FlowTable& table) {
    std::vector<std::uint64_t> all;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) all.push_back(table.digest(bucket));
    return all;
  }
  static const std::vector<std::uint64_t>& none() {
    static const std::vector<std::uint64_t> digests(kBuckets);
    return digests;
  }
  Dictionary dictionary_;
  FlowTable table_{dictionary_}, other_{dictionary_};
};

TEST_F(FlowTables, TellWhatChanges) {
  auto flow = sync_flow(1);
  EXPECT_TRUE(put(table_, flow));
  EXPECT_FALSE(put(table_, flow));
  flow.timeout_s = 5;
  EXPECT_FALSE(put(table_, flow)) << "a timeout alone is no change";
  EXPECT_EQ(table_.find(find_key(dictionary_, flow).value())->timeout_s, 5U) << "but is kept";
  flow.tcp_state = 4;
  EXPECT_TRUE(put(table_, flow));
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(FlowTables, HoldTheirTerms) {
  auto flow = sync_flow(1);
  put(table_, flow);
  EXPECT_EQ(dictionary_.size(), 3U);
  flow.backend.port = 9999;
  put(table_, flow);
  EXPECT_EQ(dictionary_.size(), 3U) << "the old backend is nobody's";
  erase(table_, flow);
  EXPECT_EQ(dictionary_.size(), 0U);
  put(table_, flow);
  table_.clear();
  EXPECT_EQ(dictionary_.size(), 0U);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(FlowTables, HaveEqualDigestsForEqualFlowsOnly) {
  for (std::uint32_t i = 0; i < 1'000; ++i) put(table_, sync_flow(i));
  for (std::uint32_t i = 1'000; i-- > 0;) put(other_, sync_flow(i));
  EXPECT_EQ(digests(table_), digests(other_));
  auto changed = sync_flow(500);
  changed.tcp_state = 7;
  put(other_, changed);
  EXPECT_NE(digests(table_), digests(other_));
  put(table_, changed);
  EXPECT_EQ(digests(table_), digests(other_));
  erase(table_, changed);
  EXPECT_NE(digests(table_), digests(other_));
  for (std::uint32_t i = 0; i < 1'000; ++i) erase(other_, sync_flow(i));
  EXPECT_EQ(digests(other_), none());
}

TEST_F(FlowTables, SpreadFlowsOverBuckets) {
  for (std::uint32_t i = 0; i < 65'536; ++i) put(table_, sync_flow(i));
  std::size_t most = 0, sum = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    std::size_t seen = 0;
    table_.for_each_in(bucket, [&](const Record& record) {
      EXPECT_EQ(table_.bucket_of(record.key), bucket);
      ++seen;
    });
    EXPECT_EQ(seen, table_.size_of(bucket));
    most = std::max(most, seen);
    sum += seen;
  }
  EXPECT_EQ(sum, 65'536U);
  EXPECT_LE(most, 48U) << "16 on average";
}

TEST_F(FlowTables, TakeOverOthers) {
  for (const auto& [here, there] : {std::pair{100U, 10U}, {10U, 100U}, {0U, 50U}, {50U, 0U}}) {
    FlowTable expected(dictionary_);
    for (std::uint32_t i = 0; i < here + there; ++i) {
      put(i < here ? table_ : other_, sync_flow(i));
      put(expected, sync_flow(i));
    }
    table_.absorb(other_);
    EXPECT_EQ(table_.size(), here + there);
    EXPECT_EQ(other_.size(), 0U);
    EXPECT_EQ(digests(table_), digests(expected));
    EXPECT_EQ(digests(other_), none());
    table_.clear();
  }
  EXPECT_EQ(dictionary_.size(), 0U);
}

}  // namespace
}  // namespace wsl4::sync
