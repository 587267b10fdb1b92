#include "tests/support/sample_tables.h"

#include <chrono>

namespace wsl4::test {

using netlink::Endpoint;
using netlink::Family;
using netlink::IpAddress;
using netlink::Protocol;
using namespace netlink::nft;

namespace {

Type address_type(Family family) { return family == Family::kIpv4 ? Type::kIpv4Addr : Type::kIpv6Addr; }

Table empty_table() {
  Table table;
  table.name = "wsl4";
  table.comment = "of a test";
  return table;
}

}  // namespace

Set blocks_of(const IpAddress& address, std::uint32_t blocks, std::uint16_t first_port, std::uint16_t ports_per_block) {
  Set map;
  map.key = {Type::kSlot};
  map.data = {address_type(address.family()), Type::kInetService};
  map.data_ranges = true;
  map.slot_modulus = map.size = blocks;
  for (std::uint32_t slot = 0; slot < blocks; ++slot) {
    const auto first = static_cast<std::uint16_t>(first_port + slot * ports_per_block);
    const auto last = static_cast<std::uint16_t>(first + ports_per_block - 1);
    map.elements[KeyBuilder().add_slot(slot).take()] = {
        KeyBuilder().add(address).add_port(first).add(address).add_port(last).take(), ""};
  }
  return map;
}

Table port_blocks(Family family) {
  auto table = empty_table();
  const auto address = IpAddress::parse(family == Family::kIpv4 ? "198.18.2.101" : "2001:db8:2::101").value();
  auto& map = table.sets["blocks"] = blocks_of(address, 2, 1024, 128);
  map.comment = "pool main";
  map.elements.begin()->second.comment = "a block";
  table.chains["postrouting"] = {
      Hook{Hook::Type::kNat, Hook::Point::kPostrouting, 90},
      "",
      {{{MatchL4Proto{Protocol::kTcp}, SnatFromBlocks{family, {Selector::Kind::kIncremental, 2, 0}, "blocks"}}, "every port"}}};
  return table;
}

Table client_limits(Family family) {
  auto table = empty_table();
  table.counters["refused"] = {"over a limit"};
  auto& over = table.sets["over"];
  over.key = {address_type(family)};
  auto& connections = table.sets["connections"] = over;
  connections.dynamic = true;
  connections.size = 1000;
  auto& rates = table.sets["rates"] = connections;
  rates.timeout = std::chrono::seconds(90);
  rates.comment = "per client";
  const auto refuse = [](Statement limit, std::string comment) {
    return Rule{{MatchL4Proto{Protocol::kTcp}, std::move(limit), CountNamed{"refused"}, Reject{true}}, std::move(comment)};
  };
  table.chains["limits"].rules = {refuse(MatchInSet{{client_field(family)}, "over"}, ""),
                                  refuse(LimitClientConnections{family, "connections", 2}, "too many"),
                                  refuse(LimitClientRate{family, "rates", 1, 3}, "")};
  return table;
}

void send_to(Table& table, const std::string& chain, const Endpoint& server) {
  const auto family = server.address.family();
  auto& servers = table.sets["servers"];
  servers.key = {Type::kSlot};
  servers.data = {address_type(family), Type::kInetService};
  servers.slot_modulus = 1;
  servers.elements[KeyBuilder().add_slot(0).take()] = {KeyBuilder().add(server.address).add_port(server.port).take(), ""};
  auto& entrance = table.chains[chain];
  entrance.hook = Hook{Hook::Type::kNat, Hook::Point::kPrerouting, -110};
  entrance.rules.push_back(
      {{MatchL4Proto{Protocol::kTcp}, DnatFromMap{family, {Selector::Kind::kIncremental, 1, 0}, "servers"}}, ""});
}

}  // namespace wsl4::test
