#include "tests/support/overlay_bed.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/support/desired_states.h"

namespace wsl4::test {
namespace {

template <class T>
const T& one_of(const std::vector<T>& values, std::mt19937& random) {
  return values[std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random)];
}

int below(int bound, std::mt19937& random) { return std::uniform_int_distribution<>(0, bound - 1)(random); }
bool one_in(int count, std::mt19937& random) { return below(count, random) == 0; }

/// Backends of the file, free addresses, VIPs, and addresses of the pool.
const std::vector<std::string> kAddresses{"198.18.2.11:80",  "198.18.2.12:80",      "198.18.2.13:80",      "198.18.2.14:80",
                                          "198.18.2.15:80",  "[2001:db8:2::11]:80", "[2001:db8:2::12]:80", "198.18.1.100:443",
                                          "198.18.1.100:53", "198.18.2.101:80",     "127.0.0.1:80"};

service::AddBackend random_add(std::mt19937& random) {
  service::AddBackend add;
  add.address = endpoint(one_of(kAddresses, random));
  add.weight = one_of<int>({100, 50, 1000, 1001, -1}, random);
  add.max_connections = one_of<std::uint64_t>({0, 60'000, 2'000'000'000}, random);
  add.public_address = one_of<std::string>({"", "wss://b.example.com/ws", "two words"}, random);
  return add;
}

service::EditBackend random_edit(std::mt19937& random) {
  service::EditBackend edit;
  if (one_in(3, random)) edit.weight = one_of<int>({0, 50, 100, 1001}, random);
  if (one_in(4, random)) edit.max_connections = one_of<std::uint64_t>({0, 7, 60'000}, random);
  if (one_in(2, random)) edit.state = static_cast<service::AdminState>(below(3, random));
  if (one_in(4, random)) edit.evict = one_of<std::uint32_t>({0, 20, 1'000'001}, random);
  if (one_in(6, random)) edit.connections = 41;
  return edit;
}

service::BackendChange random_kind(std::mt19937& random) {
  switch (below(6, random)) {
    case 0:
    case 1:
      return random_add(random);
    case 2:
    case 3:
      return random_edit(random);
    case 4:
      return service::RemoveBackend{};
    default:
      return service::ResetBackend{};
  }
}

}  // namespace

config::Config changeable_config() {
  config::Config config;
  config.pools.push_back({"main", {address("198.18.2.101"), address("2001:db8:2::101")}, 1, 65535, ""});
  config::Service chat;
  chat.name = "chat";
  chat.listen = {endpoint("198.18.1.100:443"), endpoint("[2001:db8:1::100]:443")};
  chat.pool = "main";
  chat.backends = {{"b1", endpoint("198.18.2.11:80"), 100, 0, ""},
                   {"b2", endpoint("198.18.2.12:80"), 50, 60'000, "wss://b2.example.com/ws"},
                   {"v6", endpoint("[2001:db8:2::11]:80"), 100, 0, ""}};
  config::Service dns;
  dns.name = "dns";
  dns.protocol = netlink::Protocol::kUdp;
  dns.listen = {endpoint("198.18.1.100:53")};
  dns.pool = "main";
  dns.backends = {{"n1", endpoint("198.18.2.11:80"), 100, 0, ""}};
  config.services = {chat, dns};
  return config;
}

NamedChange random_change(std::mt19937& random) {
  return {one_of<std::string>({"chat", "chat", "chat", "dns", "gone"}, random),
          one_of<std::string>({"b1", "b2", "b3", "b4", "v6", "n1", "Bad Name"}, random), random_kind(random)};
}

config::Config edited(config::Config config, std::mt19937& random) {
  auto& chat = config.services.front();
  auto& backend = chat.backends[static_cast<std::size_t>(below(static_cast<int>(chat.backends.size()), random))];
  switch (below(5, random)) {
    case 0:
      chat.backends.erase(chat.backends.begin());
      break;
    case 1:
      chat.backends.push_back({"b3", endpoint("198.18.2.13:80"), 100, 0, ""});
      break;
    case 2:
      if (backend.name != "v6") backend.address = endpoint("198.18.2.14:80");
      break;
    case 3:
      backend.weight = 7;
      break;
    default:
      config.services.pop_back();
  }
  return config;
}

Effective effective(const service::Overlay& overlay, const config::Config& file) {
  Effective effective{file, {}, {}};
  for (const auto& [name, changes] : overlay.changes()) {
    const auto place = std::ranges::find(effective.config.services, name, &config::Service::name);
    const bool is_there = place != effective.config.services.end();
    auto laid = overlay.lay(file, name, is_there ? &*place : nullptr).value();
    if (is_there) *place = laid.service.value();
    effective.marks.merge(laid.marks);
    std::ranges::move(laid.dormant, std::back_inserter(effective.dormant));
  }
  return effective;
}

}  // namespace wsl4::test
