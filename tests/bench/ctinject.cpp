// ctinject: how fast the injector puts flows into this namespace's connection tracking, and works on them, beside plain batches.
// Prints JSON: changes per second of processor time, the kernel's part included.
//   ctinject COUNT
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/flows/injector.h"
#include "tests/bench/plain_batches.h"

namespace {

using namespace wsl4;
using flows::Injector;
using Kind = Injector::Change::Kind;

constexpr std::size_t kBatch = 4096;
constexpr std::uint32_t kPorts = 60000, kFirstPort = 1024;
constexpr std::uint32_t kClients = 0xC6130001, kVip = 0xC6120164, kBackends = 0xC612020B, kSnats = 0xC6120301;  // 198.18.0.0/15

netlink::IpAddress address(std::uint32_t value) {
  const std::uint8_t bytes[] = {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
                                static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
  return *netlink::IpAddress::from_bytes(bytes);
}

netlink::conntrack::Flow flow(std::uint32_t n) {
  const auto port = static_cast<std::uint16_t>(kFirstPort + n % kPorts);
  netlink::conntrack::Flow flow;
  flow.original = {{address(kClients + n / kPorts), port}, {address(kVip), 80}, netlink::Protocol::kTcp};
  flow.reply = {{address(kBackends + n % 8), 8080}, {address(kSnats + n / kPorts), port}, netlink::Protocol::kTcp};
  flow.tcp_state = netlink::conntrack::TcpState::kEstablished;
  flow.tcp_flags_original = flow.tcp_flags_reply = 3;
  flow.wscale_original = flow.wscale_reply = 7;
  flow.mark = 0x100;
  flow.timeout = std::chrono::seconds{7200};
  return flow;
}

/// Changes per second; 0 if one was refused.
double rate(netlink::conntrack::Conntrack& conntrack, netlink::TcpProber& prober, Kind kind, std::uint32_t count) {
  boost::asio::io_context io;
  bool refused = false;
  flows::ClientLimits limits(prober);
  Injector injector(io, conntrack, limits, service::MarkLayout(),
                    [&](const Injector::Done& done) { refused = refused || !done.known || !done.refused.empty(); });
  const double begin = bench::processor_seconds();
  for (std::uint32_t n = 0; n < count;) {
    std::vector<Injector::Change> changes;
    for (; n < count && changes.size() < kBatch; ++n) changes.push_back({kind, flow(n)});
    refused = !injector.submit(n, std::move(changes)) || refused;
    io.restart();
    io.run();
  }
  return refused ? 0 : count / (bench::processor_seconds() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: ctinject COUNT\n", stderr), 2;
  const auto count = static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 0));
  const auto opened = netlink::conntrack::KernelConntrack::open();
  if (!opened) return fmt::print(stderr, "{}\n", opened.error().message()), 1;
  const auto prober = netlink::open_tcp_prober();
  if (!prober) return fmt::print(stderr, "{}\n", prober.error().message()), 1;
  auto& conntrack = **opened;
  const auto measure = [&](Kind kind) { return rate(conntrack, **prober, kind, count); };
  (void)measure(Kind::kPut);  // slabs grow
  (void)measure(Kind::kErase);
  const auto plain = bench::put_plainly(count, flow);
  const double again = measure(Kind::kPut), timers = measure(Kind::kShorten), erase = measure(Kind::kErase),
               put = measure(Kind::kPut);
  fmt::print(
      R"({{"plain_per_s": {:.0f}, "put_per_s": {:.0f}, "put_again_per_s": {:.0f}, "timer_per_s": {:.0f}, "erase_per_s": {:.0f}}})"
      "\n",
      plain ? count / *plain : 0, put, again, timers, erase);
  return plain && put > 0 && again > 0 && timers > 0 && erase > 0 ? 0 : 1;
}
