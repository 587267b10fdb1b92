#include "tests/support/desired_states.h"

#include <algorithm>
#include <utility>

namespace wsl4::test {
namespace {

using netlink::Endpoint;
using netlink::Family;
using netlink::Protocol;
using service::BackendState;
using service::DesiredState;
using service::PoolState;
using service::ServiceState;

class Draw {
 public:
  explicit Draw(std::mt19937& random) : random_(random) {}

  int number(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  bool chance(int percent) { return number(1, 100) <= percent; }

  PoolState pool(const std::string& name, int network) {
    PoolState pool{name, {}, 1, 65535};
    for (int i = 1; i <= number(1, 5); ++i)
      pool.addresses.push_back(address("198.18.1" + std::to_string(network) + "." + std::to_string(i)));
    for (int i = 1; i <= number(1, 3); ++i)
      pool.addresses.push_back(address("2001:db8:1" + std::to_string(network) + "::" + std::to_string(i)));
    if (chance(30)) pool.port_min = 1024;
    return pool;
  }

  /// Only the number behind the service's name tells listen addresses and backend numbers of services apart; backends are shared.
  ServiceState service(int index) {
    ServiceState service;
    service.name = "svc-" + std::to_string(index);
    service.protocol = index % 3 == 0 ? Protocol::kUdp : Protocol::kTcp;
    service.mode = chance(30) ? config::Mode::kDnat : config::Mode::kSnat;
    if (service.mode == config::Mode::kSnat) service.pool = chance(50) ? "main" : "other";
    service.scheduler =
        std::array{config::Scheduler::kRoundRobin, config::Scheduler::kRandom}.at(static_cast<std::size_t>(number(0, 1)));
    for (int port = 80; port <= 80 + number(0, 1); ++port) service.listen.push_back(listen("198.18.0.", index, port));
    if (chance(50)) service.listen.push_back(listen6(index));
    add_backends(service, index);
    return service;
  }

  /// A few slots for some backends.
  void deal_blocks(ServiceState& service, const PoolState& pool) {
    for (const auto& backend : service.backends) {
      std::vector<netlink::IpAddress> sources;
      for (const auto& source : pool.addresses)
        if (source.family() == backend.address.address.family()) sources.push_back(source);
      if (sources.empty() || chance(60)) continue;
      auto& slots = service.blocks[backend.id];
      for (int i = number(0, 6); i > 0; --i)
        slots.push_back({sources[static_cast<std::size_t>(number(0, static_cast<int>(sources.size()) - 1))],
                         static_cast<std::uint16_t>(number(pool.port_min / 128, 511))});
    }
  }

 private:
  static Endpoint listen(const std::string& network, int index, int port) {
    return endpoint(network + std::to_string(index) + ":" + std::to_string(port));
  }
  static Endpoint listen6(int index) { return endpoint("[2001:db8::" + std::to_string(index) + "]:80"); }

  void add_backends(ServiceState& service, int index) {
    const bool ipv6 =
        std::ranges::any_of(service.listen, [](const Endpoint& one) { return one.address.family() == Family::kIpv6; });
    for (int i = 1; i <= 4; ++i) {
      if (chance(30)) continue;
      const bool second_family = ipv6 && i % 2 == 0;
      const auto host = (second_family ? "[2001:db8:2::" : "198.18.2.") + std::to_string(i);
      const auto weight = chance(20) ? 0 : number(1, 5);
      BackendState backend{i == 3 ? "198.18.2.3:80" : "b" + std::to_string(i), endpoint(host + (second_family ? "]:80" : ":80")),
                           static_cast<service::BackendId>(index * 10 + i), weight, chance(20) ? 0 : weight};
      service.backends.push_back(backend);
    }
  }

  std::mt19937& random_;
};

}  // namespace

netlink::Endpoint endpoint(std::string_view text) { return netlink::Endpoint::parse(text).value(); }
netlink::IpAddress address(std::string_view text) { return netlink::IpAddress::parse(text).value(); }

ServiceState make_service(std::string name, const std::vector<std::string>& listen, const std::vector<std::string>& backends,
                          service::BackendId first_id) {
  ServiceState service;
  service.name = std::move(name);
  for (const auto& one : listen) service.listen.push_back(endpoint(one));
  service.pool = "main";
  for (const auto& one : backends) {
    const auto name_of = "b" + std::to_string(service.backends.size() + 1);
    service.backends.push_back({name_of, endpoint(one), first_id++, 100, 100});
  }
  return service;
}

PoolState make_pool(std::string name, const std::vector<std::string>& addresses) {
  PoolState pool{std::move(name), {}, 1, 65535};
  for (const auto& one : addresses) pool.addresses.push_back(address(one));
  return pool;
}

DesiredState two_services() {
  DesiredState state;
  state.pools["main"] =
      make_pool("main", {"198.18.1.1", "198.18.1.2", "198.18.1.3", "198.18.1.4", "2001:db8:1::1", "2001:db8:1::2"});
  state.services["chat"] = make_service("chat", {"198.18.0.10:443", "[2001:db8::10]:443"},
                                        {"198.18.2.1:8888", "198.18.2.2:8888", "[2001:db8:2::1]:8888", "[2001:db8:2::2]:8888"});
  auto dns = make_service("dns", {"198.18.0.53:53"}, {"198.18.3.1:5353", "198.18.3.2:5353"}, 5);
  dns.protocol = Protocol::kUdp;
  dns.mode = config::Mode::kDnat;
  dns.pool.clear();
  state.services["dns"] = dns;
  return state;
}

DesiredState many_services(std::size_t count) {
  DesiredState state;
  state.pools["main"] = make_pool("main", {});
  for (int i = 1; i <= 16; ++i) state.pools["main"].addresses.push_back(address("198.18.200." + std::to_string(i)));
  for (std::size_t i = 0; i < count; ++i) {
    const auto low = std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    std::vector<std::string> backends;
    for (int port = 1; port <= 4; ++port) backends.push_back("198.19." + low + ":" + std::to_string(8000 + port));
    const auto name = "service-" + std::to_string(i);
    state.services[name] = make_service(name, {"198.18." + low + ":443"}, backends, static_cast<service::BackendId>(4 * i + 1));
  }
  return state;
}

DesiredState random_state(std::mt19937& random) {
  Draw draw(random);
  DesiredState state;
  state.double_dnat = draw.chance(50);
  state.pools["main"] = draw.pool("main", 1);
  state.pools["other"] = draw.pool("other", 2);
  for (int index = 1; index <= 6; ++index) {
    if (draw.chance(25)) continue;
    auto service = draw.service(index);
    if (service.mode == config::Mode::kSnat) draw.deal_blocks(service, state.pools.at(service.pool));
    state.services[service.name] = std::move(service);
  }
  // Listen addresses wander from one service to the next.
  if (auto from = state.services.find("svc-1"), to = state.services.find("svc-2");
      draw.chance(40) && from != state.services.end() && to != state.services.end())
    std::swap(from->second.listen, to->second.listen);
  return state;
}

namespace {

template <class T>
std::map<std::string, std::optional<T>> difference_of(const std::map<std::string, T>& from, const std::map<std::string, T>& to) {
  std::map<std::string, std::optional<T>> changes;
  for (const auto& [name, old] : from)
    if (!to.contains(name)) changes[name] = std::nullopt;
  for (const auto& [name, next] : to)
    if (!from.contains(name) || from.at(name) != next) changes[name] = next;
  return changes;
}

}  // namespace

service::StateChange difference(const DesiredState& from, const DesiredState& to) {
  return {difference_of(from.pools, to.pools), difference_of(from.services, to.services)};
}

}  // namespace wsl4::test
