#include "daemon/flows/bridge.h"

#include <algorithm>

#include <boost/container_hash/hash.hpp>

namespace wsl4::flows {

namespace {

using netlink::Family;
namespace ct = netlink::conntrack;

constexpr std::size_t kIpv4Bytes = 4;
/// IP_CT_TCP_FLAG_WINDOW_SCALE and _SACK_PERM (linux/netfilter/nf_conntrack_tcp.h): without the first the window scales count for
/// nothing. The others change all the time, and what they say does not matter with be_liberal.
constexpr std::uint8_t kLastingFlags = 0x03;

netlink::IpAddress to_netlink(const sync::Address& address) {
  const auto size = address.family == sync::Family::kIpv4 ? kIpv4Bytes : address.bytes.size();
  return *netlink::IpAddress::from_bytes(std::span(address.bytes).first(size));
}

sync::Address to_sync(const netlink::IpAddress& address) {
  sync::Address result;
  result.family = address.family() == Family::kIpv4 ? sync::Family::kIpv4 : sync::Family::kIpv6;
  std::ranges::copy(address.bytes(), result.bytes.begin());
  return result;
}

netlink::Protocol to_netlink(sync::Protocol protocol) {
  return protocol == sync::Protocol::kTcp ? netlink::Protocol::kTcp : netlink::Protocol::kUdp;
}

}  // namespace

sync::Endpoint to_sync(const netlink::Endpoint& endpoint) { return {to_sync(endpoint.address), endpoint.port}; }
netlink::Endpoint to_netlink(const sync::Endpoint& endpoint) { return {to_netlink(endpoint.address), endpoint.port}; }

bool is_copied(const ct::Flow& flow) {
  return flow.original.protocol == netlink::Protocol::kUdp || (flow.status & ct::status::kAssured) != 0;
}

sync::Flow to_sync(const ct::Flow& flow, bool closing) {
  sync::Flow copy;
  copy.protocol = flow.original.protocol == netlink::Protocol::kTcp ? sync::Protocol::kTcp : sync::Protocol::kUdp;
  copy.client = to_sync(flow.original.source);
  copy.vip = to_sync(flow.original.destination);
  copy.backend = to_sync(flow.reply.source);
  copy.snat = to_sync(flow.reply.destination);
  if (copy.protocol == sync::Protocol::kTcp) {
    // Which state of closing it is in changes too often to be worth telling; the flag says that it closes, and the copy is one
    // whose client limits count no more.
    copy.tcp_state = static_cast<std::uint8_t>(ct::TcpState::kEstablished);
    copy.wscale_original = flow.wscale_original;
    copy.wscale_reply = flow.wscale_reply;
    copy.tcp_flags_original = flow.tcp_flags_original & kLastingFlags;
    copy.tcp_flags_reply = flow.tcp_flags_reply & kLastingFlags;
  }
  if (closing) copy.flags |= sync::kClosing;
  copy.timeout_s = static_cast<std::uint32_t>(flow.timeout.count());
  return copy;
}

ct::Flow to_kernel(const sync::Flow& flow) {
  ct::Flow entry;
  const auto protocol = to_netlink(flow.protocol);
  entry.original = {to_netlink(flow.client), to_netlink(flow.vip), protocol};
  entry.reply = {to_netlink(flow.backend), to_netlink(flow.snat), protocol};
  entry.status = ct::status::kSeenReply | ct::status::kAssured | ct::status::kConfirmed;  // what is_copied has let pass
  entry.timeout = kCopyTimeout;
  const std::chrono::seconds left{flow.timeout_s};
  const bool closing = (flow.flags & sync::kClosing) != 0;
  if (closing && left.count() > 0 && left < kLongestEstablished) entry.timeout = left;
  if (protocol == netlink::Protocol::kTcp) {
    entry.tcp_state = closing ? ct::TcpState::kTimeWait : static_cast<ct::TcpState>(flow.tcp_state);
    entry.wscale_original = flow.wscale_original;
    entry.wscale_reply = flow.wscale_reply;
    entry.tcp_flags_original = flow.tcp_flags_original;
    entry.tcp_flags_reply = flow.tcp_flags_reply;
  }
  return entry;
}

std::size_t BackendNumbers::Hash::operator()(const Place& place) const noexcept {
  std::size_t seed = std::hash<netlink::Endpoint>{}(place.vip);
  boost::hash_combine(seed, std::hash<netlink::Endpoint>{}(place.backend));
  return seed;
}

bool BackendNumbers::follow(const service::StateChange& change, const service::DesiredState& before) {
  const auto for_each = [](const service::ServiceState& service, const auto& work) {
    for (const auto& vip : service.listen)
      for (const auto& backend : service.backends)
        if (backend.address.address.family() == vip.address.family())
          work(Place{service.protocol, vip, backend.address}, backend.id);
  };
  for (const auto& [name, next] : change.services) {
    const auto present = before.services.find(name);
    if (present != before.services.end())
      for_each(present->second, [this](const Place& place, service::BackendId) { numbers_.erase(place); });
  }
  bool comes = false;
  for (const auto& [name, next] : change.services) {
    if (!next) continue;
    for_each(*next, [this](const Place& place, service::BackendId id) { numbers_.emplace(place, id); });
    const auto present = before.services.find(name);
    comes = comes || present == before.services.end() || present->second.protocol != next->protocol ||
            !std::ranges::all_of(next->listen, [&](const netlink::Endpoint& vip) {
              return std::ranges::find(present->second.listen, vip) != present->second.listen.end();
            });
  }
  return comes;
}

std::optional<service::BackendId> BackendNumbers::find(const Place& place) const {
  if (const auto found = numbers_.find(place); found != numbers_.end()) return found->second;
  if (const auto found = gone_.find(place); found != gone_.end()) return found->second;
  return {};
}

BackendNumbers::Place place_of(const ct::Flow& flow) {
  return {flow.original.protocol, flow.original.destination, flow.reply.source};
}

BackendNumbers::Place place_of(const sync::Flow& flow) {
  return {to_netlink(flow.protocol), to_netlink(flow.vip), to_netlink(flow.backend)};
}

}  // namespace wsl4::flows
