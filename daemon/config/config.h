// The configuration file as a value: every setting with its default, checked, references resolved by name. What each setting
// means, its unit, range and default stand in one table (schema.h); the outside of it in wsl4.toml(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/ip.h"

namespace wsl4::config {

using netlink::Endpoint;
using netlink::Family;
using netlink::IpAddress;
using netlink::Prefix;
using netlink::Protocol;

enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };
enum class Scheduler : std::uint8_t { kLeastConnections, kRoundRobin, kRandom, kSourceHash };
enum class Mode : std::uint8_t { kSnat, kDnat };
enum class OnBackendDown : std::uint8_t { kAuto, kReset, kKeep };
enum class HealthType : std::uint8_t { kTcp, kHttp, kHttps, kWebSocket, kWebSockets, kNone };
enum class Election : std::uint8_t { kVrrp, kExternal };

struct Node {
  std::string name;  // host name if not set
  std::string state_dir = "/var/lib/wsl4";
  LogLevel log_level = LogLevel::kInfo;
  std::uint32_t ct_mark_mask = 0x00ffff00;  // contiguous bits; the top one marks closing flows, the others number backends
  friend bool operator==(const Node&, const Node&) = default;
};

struct Control {
  std::string socket = "/run/wsl4/wsl4d.sock";
  std::optional<Endpoint> listen;
  std::optional<Endpoint> register_listen;
  std::string token_file, tls_certificate, tls_key;
  friend bool operator==(const Control&, const Control&) = default;
};

struct Ha {
  Endpoint listen, peer;
  std::string key_file = "/etc/wsl4/peer.key";
  Election election = Election::kVrrp;
  std::string interface;
  int virtual_router_id = 51;
  int priority = 100;
  std::chrono::milliseconds advert_interval{100};
  std::optional<IpAddress> unicast_peer;
  bool preempt = false;
  bool virtual_mac = false;
  std::vector<std::string> track;
  std::string hook_active, hook_standby;
  friend bool operator==(const Ha&, const Ha&) = default;
};

struct Addresses {
  bool manage = true;
  std::vector<Prefix> extra;
  friend bool operator==(const Addresses&, const Addresses&) = default;
};

struct Pool {
  std::string name;
  std::vector<IpAddress> addresses;  // expanded, in the file's order; may be of both families
  std::uint16_t port_min = 1, port_max = 65535;
  std::string interface;  // empty: found by connected prefix
  friend bool operator==(const Pool&, const Pool&) = default;
};

struct Health {
  HealthType type = HealthType::kTcp;
  std::string path = "/";
  std::string host;
  std::uint16_t expect_min = 0, expect_max = 0;  // HTTP status range; 0 and 0 for types without one
  bool tls_verify = true;
  std::chrono::milliseconds interval{2000}, timeout{1000};
  int rise = 2, fall = 3;
  friend bool operator==(const Health&, const Health&) = default;
};

struct Backend {
  std::string name;  // its address if not set
  Endpoint address;
  int weight = 100;  // 0-1000
  std::uint64_t max_connections = 0;
  std::string public_address;
  friend bool operator==(const Backend&, const Backend&) = default;
};

struct Service {
  std::string name;
  Protocol protocol = Protocol::kTcp;
  std::vector<Endpoint> listen;
  std::string interface;
  Scheduler scheduler = Scheduler::kLeastConnections;
  Mode mode = Mode::kSnat;
  std::string pool;                                               // name; the only pool if not set; empty in mode dnat
  std::chrono::milliseconds idle_timeout{std::chrono::hours(1)};  // 0 = never
  OnBackendDown on_backend_down = OnBackendDown::kAuto;
  std::chrono::milliseconds slow_start{0};
  std::uint64_t client_limit_connections = 0, client_limit_rate = 0;
  std::string discovery;
  Health health;
  std::vector<Backend> backends;
  friend bool operator==(const Service&, const Service&) = default;
};

struct Config {
  Node node;
  Control control;
  std::optional<Ha> ha;
  Addresses addresses;
  std::vector<Pool> pools;
  std::vector<Service> services;
  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace wsl4::config
