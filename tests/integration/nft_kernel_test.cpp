// What the kernel does with transactions and listings: ownership, errors that name the operation, big batches, the monitor.
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <thread>

#include "daemon/host/host.h"
#include "netlink/nft/nftables.h"
#include "tests/support/namespace.h"

namespace wsl4::netlink::nft {
namespace {

Set map_of_slots(std::uint32_t slots) {
  Set set;
  set.key = {Type::kSlot};
  set.data = {Type::kIpv4Addr, Type::kInetService};
  set.slot_modulus = set.size = slots;
  const auto backend = IpAddress::parse("198.18.2.11").value();
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    auto data = KeyBuilder().add(backend).add_port(static_cast<std::uint16_t>(slot % 60'000 + 1)).take();
    set.elements[KeyBuilder().add_slot(slot).take()] = {std::move(data), ""};
  }
  return set;
}

Table small_table(bool owned = false) {
  Table table;
  table.name = "t";
  table.comment = "of a test";
  table.owned = owned;
  table.counters["c"] = {"counts"};
  table.sets["m"] = map_of_slots(4);
  table.chains["x"] = {std::nullopt, "a chain", {{{CountNamed{"c"}, Verdict{}}, "a rule"}}};
  return table;
}

class NftKernel : public testing::Test {
 protected:
  std::unique_ptr<KernelNftables> open() {
    return where_.run([] { return KernelNftables::open().value(); });
  }
  const test::Namespace where_{"nftk"};
};

TEST_F(NftKernel, ATableThatIsNotThereIsNoError) { EXPECT_EQ(open()->read_table("t").value(), std::nullopt); }

TEST_F(NftKernel, SixteenThousandElementsAreReadBack) {
  auto table = small_table();
  table.sets["m"] = map_of_slots(16'384);
  const auto kernel = open();
  const auto committed = kernel->commit(build_table(table));
  ASSERT_TRUE(committed) << committed.error().message();
  EXPECT_EQ(kernel->read_table("t").value(), table);
}

TEST_F(NftKernel, AnErrorNamesTheOperationAndNothingChanges) {
  const auto kernel = open();
  ASSERT_TRUE(kernel->commit(build_table(small_table())));
  Transaction transaction("t");
  transaction.add(AddChain{"y", std::nullopt, ""});
  transaction.add(DeleteChain{"missing"});
  const auto refused = kernel->commit(transaction);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ENOENT);
  EXPECT_NE(refused.error().what.find("delete chain missing"), std::string::npos) << refused.error().what;
  EXPECT_EQ(kernel->read_table("t").value(), small_table());
}

TEST_F(NftKernel, AListingThatOthersDisturbIsNotTaken) {
  const auto other = open(), kernel = open();
  Table table = small_table(), elsewhere;
  for (int i = 0; i < 2000; ++i) table.chains["c" + std::to_string(i)];
  elsewhere.name = "elsewhere";
  Transaction add("elsewhere"), remove("elsewhere");
  add.add(AddChain{"c", std::nullopt, ""});
  remove.add(DeleteChain{"c"});
  ASSERT_TRUE(kernel->commit(build_table(table)));
  ASSERT_TRUE(other->commit(build_table(elsewhere)));
  std::jthread disturber([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) ASSERT_TRUE(other->commit(add) && other->commit(remove));
  });
  int refused = 0;
  for (int i = 0; i < 1000 && refused == 0; ++i) {
    const auto read = kernel->read_table("t");
    if (read) {
      EXPECT_TRUE(*read == table);
    } else {
      EXPECT_EQ(read.error().code, EINTR) << read.error().message();
      ++refused;
    }
  }
  EXPECT_EQ(refused, 1);
  disturber.request_stop();
  disturber.join();
  EXPECT_TRUE(kernel->read_table("t").value() == table);
}

TEST_F(NftKernel, CountersAreRead) {
  const auto kernel = open();
  ASSERT_TRUE(kernel->commit(build_table(small_table())));
  where_.must(
      "nft 'add rule inet t x counter name c; add chain inet t out { type filter hook output priority 0; }; add rule inet t out "
      "jump x'");
  where_.must("ping -c 1 127.0.0.1");
  EXPECT_GT(kernel->read_counters("t").value().at("c").packets, 0U);
}

TEST_F(NftKernel, AnOwnedTableIsOursAloneAndOutlivesUs) {
  if (!host::features_of(host::KernelVersion::running()).owned_tables) {
    auto refused = open()->commit(build_table(small_table(true)));
    EXPECT_FALSE(refused) << "kernels before 6.9 do not know the flag persist";
    return;
  }
  auto first = open();
  ASSERT_TRUE(first->commit(build_table(small_table(true))));
  const auto second = open();
  Transaction take("t");
  take.add(AddTable{"of a test", true});
  const auto refused = second->commit(take);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EPERM);
  EXPECT_NE(where_.exec("nft delete table inet t").status, 0);
  where_.must("nft flush ruleset");
  EXPECT_EQ(second->read_table("t").value(), small_table(true));

  first.reset();
  EXPECT_EQ(second->read_table("t").value(), small_table(true)) << "the table outlives its owner";
  const auto taken = second->commit(take);
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_NE(where_.exec("nft delete table inet t").status, 0);
  Transaction remove("t");
  remove.add(DeleteTable{});
  EXPECT_TRUE(second->commit(remove));
}

TEST_F(NftKernel, TheMonitorTellsOthersFromUs) {
  const auto kernel = open();
  auto monitor = where_.run([&] { return Monitor::open("t", kernel->port_id()).value(); });
  const auto seen = [&](int wait_ms) {
    pollfd ready{monitor.fd(), POLLIN, 0};
    ::poll(&ready, 1, wait_ms);
    return monitor.drain().value();
  };
  constexpr int kLongEnough = 10'000;
  ASSERT_TRUE(kernel->commit(build_table(small_table())));
  EXPECT_FALSE(seen(kLongEnough).foreign_change) << "our own";
  where_.must("nft add table inet elsewhere");
  EXPECT_FALSE(seen(kLongEnough).foreign_change) << "another table";
  where_.must("nft add element inet t m '{ 4 : 198.18.2.12 . 80 }' || nft add chain inet t theirs");
  EXPECT_TRUE(seen(kLongEnough).foreign_change);
  where_.must("nft flush ruleset");
  EXPECT_TRUE(seen(kLongEnough).foreign_change);
}

}  // namespace
}  // namespace wsl4::netlink::nft
