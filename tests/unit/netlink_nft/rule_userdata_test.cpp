#include <gtest/gtest.h>

#include "netlink/nft/userdata.h"
#include "tests/support/sample_tables.h"

namespace wsl4::netlink::nft {
namespace {

std::vector<Rule> sample_rules() {
  std::vector<Rule> rules;
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    for (const auto& table : {test::port_blocks(family), test::client_limits(family)}) {
      for (const auto& [name, chain] : table.chains) rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
    }
  }
  return rules;
}

/// In the order of the kernel's expressions.
std::vector<std::string> names_of(const Rule& rule) {
  std::vector<std::string> names;
  for (const auto& statement : rule.statements) {
    if (const auto* set = set_of(statement)) names.push_back(*set);
    if (const auto* count = std::get_if<CountNamed>(&statement)) names.push_back(count->counter);
  }
  return names;
}

TEST(RuleUserdata, RulesAreReadBack) {
  for (const auto& rule : sample_rules()) EXPECT_EQ(read_rule(rule_userdata(rule), names_of(rule)), rule);
}

TEST(RuleUserdata, OtherNamesThanTheRuleHasAreRefused) {
  for (const auto& rule : sample_rules()) {
    auto names = names_of(rule);
    names.emplace_back("one more");
    EXPECT_FALSE(read_rule(rule_userdata(rule), names));
    names.resize(names.size() - 2);
    EXPECT_FALSE(read_rule(rule_userdata(rule), names));
  }
}

TEST(RuleUserdata, NoCutOffRuleIsRead) {
  for (const auto& rule : sample_rules()) {
    const auto userdata = rule_userdata(rule);
    for (std::size_t size = 0; size < userdata.size(); ++size)
      EXPECT_FALSE(read_rule(ByteSpan(userdata).first(size), names_of(rule))) << size;
  }
}

/// A daemon reads what the one before it wrote: fixed numbers, whatever is added.
TEST(RuleUserdata, NumbersOfStatementsStay) {
  EXPECT_EQ(Statement(Reject{true}).index(), 13U);
  EXPECT_EQ(Statement(Verdict{}).index(), 14U);
  EXPECT_EQ(Statement(SnatFromBlocks{}).index(), 15U);
  EXPECT_EQ(Statement(LimitClientConnections{}).index(), 16U);
  EXPECT_EQ(Statement(LimitClientRate{}).index(), 17U);
  EXPECT_EQ(static_cast<int>(Field::kThDport), 9);
  EXPECT_EQ(static_cast<int>(Field::kIp6SaddrNet), 10);
  EXPECT_EQ(static_cast<int>(Field::kMark), 11);
}

}  // namespace
}  // namespace wsl4::netlink::nft
