// ctfill: puts translated flows of one backend into this namespace's connection tracking, for the memory benchmark.
//   ctfill COUNT MARK VIP:PORT BACKEND:PORT SNAT SNAT_COUNT
// Flow n comes from 198.19.0.0 + n / 60000 and port 1024 + n % 60000, and leaves from SNAT + n % SNAT_COUNT (IPv4).
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "netlink/conntrack/conntrack.h"

namespace {

using namespace wsl4::netlink;
constexpr std::uint32_t kFirstClient = 0xC6130000;  // 198.19.0.0
constexpr std::uint32_t kPortsUsed = 60000, kFirstPort = 1024;
constexpr std::size_t kBatch = 4096;
constexpr std::chrono::seconds kTimeout{4200};  // a timer that has just begun, with the default idle_timeout

IpAddress address(std::uint32_t value) {
  const auto text = fmt::format("{}.{}.{}.{}", value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255);
  return *IpAddress::parse(text);
}

std::uint32_t number(const IpAddress& ip) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::sscanf(ip.to_string().c_str(), "%u.%u.%u.%u", &a, &b, &c, &d);
  return a << 24 | b << 16 | c << 8 | d;
}

Endpoint endpoint(const IpAddress& ip, std::uint32_t port) { return {ip, static_cast<std::uint16_t>(port)}; }

struct Wanted {
  std::uint32_t mark, snat_first, snat_count;
  Endpoint vip, backend;
};

conntrack::Flow flow(std::uint32_t n, const Wanted& wanted) {
  conntrack::Flow flow;
  const auto client = endpoint(address(kFirstClient + n / kPortsUsed), kFirstPort + n % kPortsUsed);
  const auto snat = endpoint(address(wanted.snat_first + n % wanted.snat_count), kFirstPort + n / wanted.snat_count % kPortsUsed);
  flow.original = {client, wanted.vip, Protocol::kTcp};
  flow.reply = {wanted.backend, snat, Protocol::kTcp};
  flow.status = conntrack::status::kSeenReply | conntrack::status::kAssured | conntrack::status::kConfirmed |
                conntrack::status::kSourceNat | conntrack::status::kDestinationNat;
  flow.mark = wanted.mark;
  flow.timeout = kTimeout;
  flow.tcp_state = conntrack::TcpState::kEstablished;
  return flow;
}

int fill(std::uint32_t count, const Wanted& wanted) {
  auto kernel = conntrack::KernelConntrack::open();
  if (!kernel) return fmt::print(stderr, "{}\n", kernel.error().message()), 1;
  std::size_t inserted = 0;
  for (std::uint32_t n = 0; n < count;) {
    std::vector<conntrack::Flow> flows;
    for (; n < count && flows.size() < kBatch; ++n) flows.push_back(flow(n, wanted));
    const auto outcomes = (*kernel)->insert(flows);
    if (!outcomes) return fmt::print(stderr, "{}\n", outcomes.error().message()), 1;
    for (const int outcome : *outcomes) inserted += outcome == 0 ? 1 : 0;
  }
  fmt::print("{}\n", inserted);
  return inserted == count ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return std::fputs("usage: ctfill COUNT MARK VIP:PORT BACKEND:PORT SNAT SNAT_COUNT\n", stderr), 2;
  const auto vip = Endpoint::parse(argv[3]), backend = Endpoint::parse(argv[4]);
  const auto snat = IpAddress::parse(argv[5]);
  if (!vip || !backend || !snat) return std::fputs("not an address\n", stderr), 2;
  const auto value = [&](int i) { return static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 0)); };
  return fill(value(1), {value(2), number(*snat), value(6), *vip, *backend});
}
