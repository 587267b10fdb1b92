#include "daemon/config/validate.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "daemon/config/own_addresses.h"
#include "daemon/config/suggest.h"
#include "daemon/config/validate_pools.h"

namespace wsl4::config {
namespace {

using Owners = std::unordered_map<Endpoint, std::size_t>;  // listen address -> service

KeyPath service_path(std::size_t index) { return {"service", index}; }
KeyPath backend_path(std::size_t service, std::size_t backend) { return {"service", service, "backend", backend}; }

/// A value that the reader refused stands empty in the draft.
bool is_set(const Endpoint& endpoint) { return endpoint.port != 0; }

std::string_view name_of(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

struct IndexedPool {
  std::size_t index = 0;
  bool complete = false;  // all of its items could be read
};

class Validator {
 public:
  Validator(Draft& draft, Findings& findings) : draft_(draft), config_(draft.config), findings_(findings) {
    for (const Finding& finding : findings) refused_.insert(finding.path.to_string());
  }

  void run() {
    check_ha();
    check_register();
    pool_addresses_ = expand_pools(draft_, findings_);
    own_ = own_addresses(config_);
    index_pools();
    check_names();
    collect_listens();
    check_pool_addresses();
    check_own_listeners();
    check_moving();
    for (std::size_t i = 0; i < config_.services.size(); ++i) check_service(i);
    check_mark();
  }

 private:
  void tell(KeyPath path, std::string what) { findings_.push_back({std::move(path), std::move(what)}); }

  /// The reader refused the value, so that the draft holds another one: nothing follows from that.
  [[nodiscard]] bool refused(const KeyPath& path) const { return !refused_.empty() && refused_.contains(path.to_string()); }

  void check_ha() {
    const auto& ha = config_.ha;
    if (!ha) return;
    if (ha->election == Election::kVrrp && ha->interface.empty() && !refused({"ha", "election"}) && !refused({"ha", "interface"})) {
      tell({"ha", "interface"},
           "is missing (the network interface where adverts travel; only election = \"external\" does without)");
    }
    if (ha->listen.port != 0 && ha->listen == ha->peer)
      tell({"ha", "peer"}, "is this node's own address, ha.listen (the other node's)");
    check_node_address("listen", ha->listen, "its own");
    check_node_address("peer", ha->peer, "the other node's");
    if (ha->listen.port != 0 && ha->peer.port != 0 && ha->listen.address.family() != ha->peer.address.family())
      tell({"ha", "peer"}, "is of another family than ha.listen (both IPv4, or both IPv6)");
    if (ha->virtual_mac && !config_.addresses.manage)
      tell({"ha", "virtual_mac"}, "true needs addresses.manage, which is false (false, or addresses.manage = true)");
    if (ha->unicast_peer && ha->listen.port != 0 && *ha->unicast_peer == ha->listen.address) {
      tell({"ha", "unicast_peer"}, "is this node's own address (the other node's)");
    }
  }

  void check_node_address(const char* key, const netlink::Endpoint& endpoint, const char* whose) {
    if (endpoint.port != 0 && endpoint.address.is_unspecified())
      tell({"ha", key}, fmt::format("is no address of a single node ({})", whose));
  }

  void check_register() {
    const auto& control = config_.control;
    if (!control.register_listen) return check_unused_registration();
    const auto need = [this](const char* key, const std::string& value, const char* what) {
      if (value.empty()) tell({"control", key}, fmt::format("is missing ({}; control.register needs it)", what));
    };
    need("token_file", control.token_file, "the file that says who may join which service");
    need("tls_certificate", control.tls_certificate, "a PEM file");
    need("tls_key", control.tls_key, "a PEM file");
  }

  void check_unused_registration() {
    if (refused({"control", "register"})) return;
    const auto look = [this](const char* key, const std::string& value) {
      if (!value.empty()) tell({"control", key}, "does nothing without control.register (leave it out)");
    };
    look("token_file", config_.control.token_file);
    look("tls_certificate", config_.control.tls_certificate);
    look("tls_key", config_.control.tls_key);
  }

  void check_names() {
    std::unordered_map<std::string, std::size_t> services;
    for (std::size_t i = 0; i < config_.services.size(); ++i) {
      const auto& name = config_.services[i].name;
      if (name.empty()) continue;
      const auto [first, is_new] = services.emplace(name, i);
      if (!is_new)
        tell(service_path(i) / "name",
             fmt::format("\"{}\" is also the name of service[{}] (a name of its own)", name, first->second));
    }
  }

  Owners& owners(Protocol protocol) { return protocol == Protocol::kTcp ? tcp_ : udp_; }

  void collect_listens() {
    for (std::size_t i = 0; i < config_.services.size(); ++i) {
      const auto& service = config_.services[i];
      check_interface(i, service);
      for (std::size_t j = 0; j < service.listen.size(); ++j) {
        const auto& endpoint = service.listen[j];
        if (!is_set(endpoint)) continue;
        vips_.emplace(endpoint.address, i);
        if (refused(service_path(i) / "protocol")) continue;
        const auto [first, is_new] = owners(service.protocol).emplace(endpoint, i);
        if (!is_new) tell_clash(i, j, first->second);
      }
    }
  }

  /// One takes what the other one listens on; the unspecified address is all of its family.
  static bool meet(const Endpoint& one, const Endpoint& other) {
    if (one.port != other.port || one.address.family() != other.address.family()) return false;
    return one.address == other.address || one.address.is_unspecified() || other.address.is_unspecified();
  }

  void check_own_listeners() {
    const auto& control = config_.control;
    const auto& ha = config_.ha;
    const std::pair<KeyPath, std::optional<Endpoint>> own[] = {{{"control", "listen"}, control.listen},
                                                               {{"control", "register"}, control.register_listen},
                                                               {{"ha", "listen"}, ha ? std::optional(ha->listen) : std::nullopt}};
    for (auto listener = std::begin(own); listener != std::end(own); ++listener) {
      const auto& [path, listen] = *listener;
      if (!listen || !is_set(*listen)) continue;
      for (auto other = std::begin(own); other != listener; ++other) {
        if (other->second && meet(*listen, *other->second))
          tell(path, fmt::format("is also {} (an address and port of its own)", other->first.to_string()));
      }
      const auto clash = tcp_.find(*listen);
      if (clash == tcp_.end()) continue;
      tell(path, fmt::format("{} is also a listen address of {} (an address and port of its own)", listen->to_string(),
                             shown(clash->second)));
    }
  }

  /// VIPs, pool addresses and addresses.extra move with the role; a node's own stay.
  void check_moving() {
    std::unordered_map<IpAddress, std::size_t> extras;
    const auto is_vip_or_pool = [this](const IpAddress& one) { return vips_.contains(one) || pool_addresses_.contains(one); };
    for (std::size_t i = 0; i < config_.addresses.extra.size(); ++i) {
      const auto& address = config_.addresses.extra[i].address;
      if (address.is_unspecified()) continue;
      const KeyPath path{"addresses", "extra", i};
      const auto [first, is_new] = extras.emplace(address, i);
      if (!is_new) {
        tell(path, fmt::format("{} is already extra[{}] (each address once)", address.to_string(), first->second));
      } else if (is_vip_or_pool(address)) {
        tell(path, fmt::format("{} does nothing, since VIPs and pool addresses move with the role anyway (leave it out)",
                               address.to_string()));
      }
    }
    const auto stays = [&](const char* key, const IpAddress& address, std::string_view node) {
      if (!is_vip_or_pool(address) && !extras.contains(address)) return;
      tell({"ha", key}, fmt::format("{} moves with the role, as a VIP, pool address or one of addresses.extra (an address that "
                                    "stays on {} node)",
                                    address.to_string(), node));
    };
    if (!config_.ha) return;
    stays("listen", config_.ha->listen.address, "this");
    stays("peer", config_.ha->peer.address, "the other");
    if (config_.ha->unicast_peer) stays("unicast_peer", *config_.ha->unicast_peer, "the other");
  }

  /// A VIP lives on one interface: services that share it may leave it to one of them to name that.
  void check_interface(std::size_t index, const Service& service) {
    if (service.interface.empty()) return;
    for (const auto& endpoint : service.listen) {
      if (!is_set(endpoint)) continue;
      const auto first = placing_.emplace(endpoint.address, index).first->second;
      const auto& other = config_.services[first].interface;
      if (other == service.interface) continue;
      return tell(service_path(index) / "interface",
                  fmt::format("{} is on {} by {} (one interface for a VIP)", endpoint.address.to_string(), other, shown(first)));
    }
  }

  void tell_clash(std::size_t service, std::size_t item, std::size_t first) {
    const auto& it = config_.services[service];
    const auto whose = first == service ? std::string("twice in this service") : "also a listen address of " + shown(first);
    tell(service_path(service) / "listen" / item, fmt::format("{} ({}) is {} (each address, port and protocol once)",
                                                              it.listen[item].to_string(), netlink::to_string(it.protocol), whose));
  }

  /// "service[3] (chat)"
  [[nodiscard]] std::string shown(std::size_t service) const {
    const auto& name = config_.services[service].name;
    return fmt::format("service[{}]", service) + (name.empty() ? "" : " (" + name + ")");
  }

  void check_pool_addresses() {
    for (const auto& [vip, service] : vips_) {
      const auto place = pool_addresses_.find(vip);
      if (place == pool_addresses_.end()) continue;
      tell({"pool", place->second.pool, "addresses", place->second.item},
           fmt::format("{} is a VIP of {} (a pool address is no VIP)", vip.to_string(), shown(service)));
    }
  }

  void check_service(std::size_t index) {
    Service& service = config_.services[index];
    check_backends(index, service);
    check_health(index, service);
    check_unused(index, service);
    resolve_pool(index, service);
    check_families(index, service);
    if (service.protocol == Protocol::kUdp && service.idle_timeout != Service{}.idle_timeout) {
      tell(service_path(index) / "idle_timeout",
           "does nothing with protocol = \"udp\", whose flows end by the kernel's own timeouts (leave it out)");
    }
  }

  void check_backends(std::size_t index, Service& service) {
    std::unordered_map<std::string, std::size_t> names;
    std::unordered_map<Endpoint, std::size_t> addresses;
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
      Backend& backend = service.backends[i];
      check_backend_name(index, i, backend, names);
      if (!is_set(backend.address)) continue;
      const auto [first, is_new] = addresses.emplace(backend.address, i);
      if (!is_new) {
        tell(backend_path(index, i) / "address", fmt::format("{} is also the address of backend[{}] (each once in a service)",
                                                             backend.address.to_string(), first->second));
      }
      check_backend_address(index, i, service);
      if (backend.name.empty()) backend.name = backend.address.to_string();  // no configured name has a colon: it clashes with none
    }
  }

  void check_backend_name(std::size_t service, std::size_t index, const Backend& backend,
                          std::unordered_map<std::string, std::size_t>& names) {
    if (backend.name.empty()) return;
    const auto [first, is_new] = names.emplace(backend.name, index);
    if (!is_new)
      tell(backend_path(service, index) / "name",
           fmt::format("\"{}\" is also the name of backend[{}] (a name of its own)", backend.name, first->second));
  }

  void check_backend_address(std::size_t index, std::size_t backend, const Service& service) {
    const Endpoint& address = service.backends[backend].address;
    const auto& listens = owners(service.protocol);
    if (const auto loop = listens.find(address); loop != listens.end()) {
      tell(backend_path(index, backend) / "address",
           fmt::format("{} is a listen address of {}: a loop (a server's own address)", address.to_string(), shown(loop->second)));
    } else if (own_.contains(address.address)) {
      tell(backend_path(index, backend) / "address", fmt::format("{} is {}, thus the balancer's own (a server's own address)",
                                                                 address.to_string(), describe_own(config_, address.address)));
    }
  }

  void check_health(std::size_t index, Service& service) {
    auto& health = service.health;
    if (service.protocol == Protocol::kUdp) {
      if (health.type != Health{}.type && health.type != HealthType::kNone)
        tell(service_path(index) / "health" / "type",
             "is not possible with protocol = \"udp\", which is not checked (leave it out)");
      health.type = HealthType::kNone;
    }
    const auto path = service_path(index) / "health";
    if (health.type != HealthType::kNone && health.timeout > health.interval && !refused(path / "timeout") &&
        !refused(path / "interval"))
      tell(service_path(index) / "health" / "timeout",
           fmt::format("{} is longer than health.interval, {} (at most the interval)", format_duration(health.timeout),
                       format_duration(health.interval)));
    if (health.expect_min != 0) return;
    const bool http = health.type == HealthType::kHttp || health.type == HealthType::kHttps;
    const bool websocket = health.type == HealthType::kWebSocket || health.type == HealthType::kWebSockets;
    if (http) std::tie(health.expect_min, health.expect_max) = std::pair(200, 399);
    if (websocket) health.expect_min = health.expect_max = 101;
  }

  /// What is set although the service's checks, or the lack of any, make no use of it. Defaults may be written down.
  void check_unused(std::size_t index, const Service& service) {
    const auto path = service_path(index) / "health";
    if (refused(path / "type")) return;
    const Health& health = service.health;
    const Health usual;
    const bool checked = health.type != HealthType::kNone, asks = checked && health.type != HealthType::kTcp;
    const bool tls = health.type == HealthType::kHttps || health.type == HealthType::kWebSockets;
    const auto& types = schema().section("service")->section("health")->setting("type")->choices;
    const auto why = service.protocol == Protocol::kUdp
                         ? std::string(R"(protocol = "udp", which is not checked)")
                         : fmt::format("health.type = \"{}\"", types[static_cast<std::size_t>(health.type)].word);
    const auto look = [&](const KeyPath& where, bool used, bool is_set) {
      if (is_set && !used) tell(where, fmt::format("does nothing with {} (leave it out)", why));
    };
    look(path / "path", asks, health.path != usual.path);
    look(path / "host", asks, health.host != usual.host);
    look(path / "expect", asks, health.expect_min != usual.expect_min);
    look(path / "tls_verify", tls, health.tls_verify != usual.tls_verify);
    look(path / "interval", checked, health.interval != usual.interval);
    look(path / "timeout", checked, health.timeout != usual.timeout);
    look(path / "rise", checked, health.rise != usual.rise);
    look(path / "fall", checked, health.fall != usual.fall);
    look(service_path(index) / "on_backend_down", checked, service.on_backend_down != Service{}.on_backend_down);
  }

  void resolve_pool(std::size_t index, Service& service) {
    const auto path = service_path(index) / "pool";
    if (refused(path) || refused(service_path(index) / "mode")) return;
    if (service.mode == Mode::kDnat) {
      if (!service.pool.empty()) tell(path, "is not used in mode dnat (leave it out)");
    } else if (service.pool.empty()) {
      if (config_.pools.size() == 1) service.pool = config_.pools.front().name;
      if (config_.pools.empty()) tell(path, "is missing, and no pool is defined (a [[pool]], or mode = \"dnat\")");
      if (config_.pools.size() > 1) tell(path, fmt::format("is missing, and there are several pools ({})", pool_names()));
    } else if (!pools_.contains(service.pool) && pools_are_named()) {
      tell_unknown_pool(path, service.pool);
    }
  }

  /// Else one of them may be the one that is meant.
  [[nodiscard]] bool pools_are_named() const {
    return std::ranges::none_of(config_.pools, [](const Pool& pool) { return pool.name.empty(); });
  }

  void tell_unknown_pool(const KeyPath& path, const std::string& name) {
    std::vector<std::string_view> words;
    for (const Pool& pool : config_.pools) words.push_back(pool.name);
    const auto meant = nearest(name, words);
    if (!meant.empty()) return tell(path, fmt::format("there is no pool \"{}\" (did you mean {}?)", name, meant));
    tell(path, fmt::format("there is no pool \"{}\" ({})", name, words.empty() ? "none is defined" : pool_names()));
  }

  /// "one of p, q"; pools whose names are missing or wrong are left out.
  [[nodiscard]] std::string pool_names() const {
    constexpr std::size_t kShown = 10;
    std::string out;
    std::size_t shown = 0;
    for (const Pool& pool : config_.pools) {
      if (pool.name.empty()) continue;
      if (shown++ == kShown) return out + ", …";
      out += (out.empty() ? "one of " : ", ") + pool.name;
    }
    return out.empty() ? "the name of one" : out;
  }

  void check_families(std::size_t index, const Service& service) {
    const auto wrong = [](const auto& list, const auto& endpoint_of) {
      return std::any_of(list.begin(), list.end(), [&](const auto& one) { return !is_set(endpoint_of(one)); });
    };
    // A listen or backend address that could not be read has an unknown family.
    if (wrong(service.listen, [](const Endpoint& one) { return one; })) return;
    if (wrong(service.backends, [](const Backend& one) { return one.address; })) return;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) check_family(index, service, family);
  }

  void check_family(std::size_t index, const Service& service, Family family) {
    const auto listen = std::find_if(service.listen.begin(), service.listen.end(),
                                     [&](const Endpoint& one) { return one.address.family() == family; });
    const auto backend = std::find_if(service.backends.begin(), service.backends.end(),
                                      [&](const Backend& one) { return one.address.address.family() == family; });
    const bool listens = listen != service.listen.end(), has_backend = backend != service.backends.end();
    if (has_backend && !listens && !service.listen.empty()) {
      tell(backend_path(index, static_cast<std::size_t>(backend - service.backends.begin())) / "address",
           fmt::format("{0} is an {1} address, but the service has no {1} listen address (one family on both sides)",
                       backend->address.to_string(), name_of(family)));
    }
    if (!listens) return;
    const auto path = service_path(index) / "listen" / static_cast<std::size_t>(listen - service.listen.begin());
    // Without any backend the service refuses its clients in every family alike; DNS may have those of the other one.
    if (!has_backend && !service.backends.empty() && service.discovery.empty())
      tell(path, fmt::format("{} has no {} backend (one family on both sides)", listen->to_string(), name_of(family)));
    check_pool_family(path, service, family);
  }

  void check_pool_family(const KeyPath& path, const Service& service, Family family) {
    const auto pool = pools_.find(service.pool);
    if (service.mode == Mode::kDnat || pool == pools_.end()) return;
    const auto& [index, complete] = pool->second;
    const auto& addresses = config_.pools[index].addresses;
    const bool serves =
        std::any_of(addresses.begin(), addresses.end(), [&](const IpAddress& one) { return one.family() == family; });
    if (complete && !serves)
      tell(path, fmt::format("pool \"{}\" has no {} address (one family on both sides)", service.pool, name_of(family)));
  }

  void index_pools() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const auto& ranges = draft_.pool_ranges[i];
      const bool complete = !ranges.empty() && std::none_of(ranges.begin(), ranges.end(),
                                                            [](const AddressRange& one) { return one.first.is_unspecified(); });
      if (!config_.pools[i].name.empty()) pools_.emplace(config_.pools[i].name, IndexedPool{i, complete});
    }
  }

  /// The top bit of the mask marks closing flows; number 0 means "no flow of ours".
  void check_mark() {
    std::size_t backends = 0;
    for (const Service& service : config_.services) backends += service.backends.size();
    const auto bits = std::popcount(config_.node.ct_mark_mask) - 1;
    const std::size_t room = (std::size_t{1} << bits) - 1;
    if (backends <= room || refused({"node", "ct_mark_mask"})) return;
    tell({"node", "ct_mark_mask"}, fmt::format("{:#010x} has room for {} of the {} backends (at least {} bits)",
                                               config_.node.ct_mark_mask, room, backends, std::bit_width(backends) + 1));
  }

  Draft& draft_;
  Config& config_;
  Findings& findings_;
  std::unordered_set<std::string> refused_;
  Owners tcp_, udp_;
  std::unordered_map<IpAddress, std::size_t> vips_;
  std::unordered_map<IpAddress, std::size_t> placing_;  // VIP -> first service that names its interface
  PoolAddresses pool_addresses_;
  std::unordered_set<IpAddress> own_;
  std::unordered_map<std::string, IndexedPool> pools_;
};

}  // namespace

void validate(Draft& draft, Findings& findings) { Validator(draft, findings).run(); }

}  // namespace wsl4::config
