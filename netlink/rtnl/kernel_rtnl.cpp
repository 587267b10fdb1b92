#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "netlink/conversation.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::netlink::rtnl {

namespace {

constexpr std::size_t kReceiveBuffer = 1U << 20;
constexpr int kEventReads = 4096;  // in one go: more than the buffer holds

void put_native_u32(MessageWriter& request, std::uint16_t type, std::uint32_t value) {
  request.put(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

ByteSpan bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.c_str()), text.size() + 1}; }

template <class Header>
struct Body {
  Header header{};
  ByteSpan attributes;
};

template <class Header>
std::optional<Body<Header>> split(ByteSpan payload) {
  if (payload.size() < sizeof(Header)) return std::nullopt;
  Body<Header> body;
  std::memcpy(&body.header, payload.data(), sizeof(Header));
  body.attributes = payload.subspan(sizeof(Header));
  return body;
}

std::string text(ByteSpan value) { return {value.begin(), std::ranges::find(value, 0)}; }

void parse_link_info(ByteSpan link_info, Link& link) {
  AttributeReader reader(link_info);
  while (const auto attribute = reader.next()) {
    if (attribute->type == IFLA_INFO_KIND) link.kind = text(attribute->value);
    if (attribute->type == IFLA_INFO_SLAVE_KIND) link.port = text(attribute->value) != "vrf";
  }
}

std::optional<Link> parse_link(ByteSpan payload) {
  const auto body = split<ifinfomsg>(payload);
  if (!body) return std::nullopt;
  Link link;
  link.index = body->header.ifi_index;
  link.up = (body->header.ifi_flags & IFF_UP) != 0;
  link.loopback = (body->header.ifi_flags & IFF_LOOPBACK) != 0;
  AttributeReader reader(body->attributes);
  while (const auto attribute = reader.next()) {
    const ByteSpan value = attribute->value;
    const bool all_zero = std::ranges::all_of(value, [](std::uint8_t byte) { return byte == 0; });
    if (attribute->type == IFLA_IFNAME) link.name = text(value);
    if (attribute->type == IFLA_CARRIER) link.carrier = !all_zero;
    if (attribute->type == IFLA_LINKINFO) parse_link_info(value, link);
    if (attribute->type == IFLA_ADDRESS && !all_zero) link.mac.assign(value.begin(), value.end());
  }
  return link;
}

std::uint32_t read_native_u32(ByteSpan value) {
  std::uint32_t result = 0;
  if (value.size() == sizeof result) std::memcpy(&result, value.data(), sizeof result);
  return result;
}

/// Somebody has configured the IPv4 address again since it was added: Linux 6.1 leaves IFA_PROTO as it was then, but the stamps (in
/// hundredths of a second) tell. `value` is IFA_CACHEINFO's.
bool was_replaced(ByteSpan value) {
  ifa_cacheinfo info{};
  if (value.size() < sizeof info) return false;
  std::memcpy(&info, value.data(), sizeof info);
  return info.cstamp != info.tstamp;
}

std::optional<InterfaceAddress> parse_address(ByteSpan payload) {
  const auto body = split<ifaddrmsg>(payload);
  if (!body) return std::nullopt;
  InterfaceAddress result;
  result.link_index = static_cast<int>(body->header.ifa_index);
  result.prefix_length = body->header.ifa_prefixlen;
  std::optional<IpAddress> local, address;
  bool replaced = false;
  AttributeReader reader(body->attributes);
  while (const auto attribute = reader.next()) {
    if (attribute->type == IFA_LOCAL) local = IpAddress::from_bytes(attribute->value);
    if (attribute->type == IFA_ADDRESS) address = IpAddress::from_bytes(attribute->value);
    if (attribute->type == IFA_PROTO) result.protocol = read_u8(attribute->value).value_or(0);
    if (attribute->type == IFA_FLAGS) result.routed = (read_native_u32(attribute->value) & IFA_F_NOPREFIXROUTE) == 0;
    if (attribute->type == IFA_CACHEINFO) replaced = body->header.ifa_family == AF_INET && was_replaced(attribute->value);
  }
  const auto ours = local ? local : address;  // IFA_ADDRESS is the peer's where both are there
  if (!ours) return std::nullopt;
  result.address = *ours;
  if (replaced) result.protocol = 0;
  return result;
}

std::optional<Neighbour> parse_neighbour(ByteSpan payload) {
  const auto body = split<ndmsg>(payload);
  if (!body) return std::nullopt;
  std::optional<IpAddress> address;
  Neighbour neighbour;
  neighbour.link_index = body->header.ndm_ifindex;
  neighbour.state = static_cast<NeighbourState>(body->header.ndm_state);
  AttributeReader reader(body->attributes);
  while (const auto attribute = reader.next()) {
    const ByteSpan value = attribute->value;
    if (attribute->type == NDA_DST) address = IpAddress::from_bytes(value);
    if (attribute->type == NDA_LLADDR) neighbour.mac.assign(value.begin(), value.end());
  }
  if (!address) return std::nullopt;
  neighbour.address = *address;
  return neighbour;
}

class KernelRtnl final : public Rtnl {
 public:
  KernelRtnl(Conversation kernel, Socket events) : kernel_(std::move(kernel)), events_(std::move(events)) {}

  Result<std::vector<Link>> links() override { return dump<ifinfomsg>(RTM_GETLINK, "list links", parse_link); }
  Result<std::vector<InterfaceAddress>> addresses() override {
    return dump<ifaddrmsg>(RTM_GETADDR, "list addresses", parse_address);
  }
  Result<std::vector<Neighbour>> neighbours() override { return dump<ndmsg>(RTM_GETNEIGH, "list neighbours", parse_neighbour); }

  bool changed() override {
    bool any = std::exchange(never_asked_, false);
    for (int reads = 0; reads < kEventReads; ++reads) {
      const auto received = events_.receive(buffer_);
      if (received && received->kind == Received::Kind::kNothing) return any;
      any = true;  // an event, an overrun, or nobody knows
    }
    return true;
  }

  std::vector<Result<void>> add_addresses(std::span<const InterfaceAddress> addresses) override {
    return change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add", addresses);
  }
  std::vector<Result<void>> remove_addresses(std::span<const InterfaceAddress> addresses) override {
    return change(RTM_DELADDR, 0, "remove", addresses);
  }

  Result<void> add_macvlan(const NewMacvlan& link) override {
    auto request = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    put_native_u32(request, IFLA_LINK, static_cast<std::uint32_t>(link.parent_index));
    request.put(IFLA_IFNAME, bytes_of(link.name));
    request.put(IFLA_ADDRESS, link.mac);
    put_macvlan(request);
    return finish(request, fmt::format("make the macvlan {}", link.name));
  }

  Result<void> remove_link(int index) override {
    auto request = link_request(RTM_DELLINK, 0, index);
    return finish(request, fmt::format("remove the link {}", index));
  }

  Result<void> set_link(int index, bool up) override {
    auto request = link_request(RTM_NEWLINK, 0, index, up ? IFF_UP : 0, IFF_UP);
    return finish(request, fmt::format("set the link {} {}", index, up ? "up" : "down"));
  }

  /// It is asked for one without a parent, which it refuses as such.
  Result<bool> knows_macvlan() override {
    auto request = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    put_macvlan(request);
    const auto made = finish(request, "ask for a macvlan");
    if (made || made.error().code == EINVAL) return true;
    if (made.error().code == EOPNOTSUPP) return false;
    return tl::make_unexpected(made.error());
  }

 private:
  /// `set`: the link's own flags (IFF_*), of those in `mask`.
  MessageWriter link_request(std::uint16_t type, int flags, int index = 0, int set = 0, int mask = 0) {
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = static_cast<unsigned>(set);
    header.ifi_change = static_cast<unsigned>(mask);
    MessageWriter request;
    request.begin(type, static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags), kernel_.next_number());
    request.header(header);
    return request;
  }

  static void put_macvlan(MessageWriter& request) {
    const auto info = request.begin_nest(IFLA_LINKINFO);
    request.put(IFLA_INFO_KIND, bytes_of("macvlan"));
    const auto data = request.begin_nest(IFLA_INFO_DATA);
    put_native_u32(request, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    request.end_nest(data);
    request.end_nest(info);
  }

  Result<void> finish(MessageWriter& request, const std::string& what) {
    request.end();
    return kernel_.ask(request.bytes(), what, [](ByteSpan) {});
  }

  /// Everything that `parse` makes of the answers to a dump request.
  template <class Header, class Parse>
  auto dump(std::uint16_t type, const char* what, Parse&& parse)
      -> Result<std::vector<typename std::invoke_result_t<Parse, ByteSpan>::value_type>> {
    std::vector<typename std::invoke_result_t<Parse, ByteSpan>::value_type> found;
    const auto write = [type](MessageWriter& request, std::uint32_t number) {
      request.begin(type, NLM_F_REQUEST | NLM_F_DUMP, number);
      request.header(Header{});
      request.end();
    };
    const auto listed = kernel_.list(write, what, [&](ByteSpan payload) {
      if (auto value = parse(payload)) found.push_back(*std::move(value));
    });
    if (!listed) return tl::make_unexpected(listed.error());
    return found;
  }

  static std::string what(const char* verb, const InterfaceAddress& address) {
    return fmt::format("{} address {}/{}", verb, address.address.to_string(), address.prefix_length);
  }

  /// One message for each in one datagram; the kernel answers each.
  std::vector<Result<void>> change(std::uint16_t type, int flags, const char* verb, std::span<const InterfaceAddress> addresses) {
    MessageWriter request;
    auto number = kernel_.next_number();
    for (const auto& address : addresses) {
      request.begin(type, static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags), number++);
      put_address(request, address);
      if (type == RTM_NEWADDR) put_properties(request, address);
      request.end();
    }
    std::vector<Result<void>> outcomes(addresses.size());
    std::size_t answered = 0;  // in the order of the messages
    const auto told = kernel_.converse(request.bytes(), addresses.size(), verb, [&](std::size_t index, const Message& message) {
      const auto outcome = message.outcome();
      if (!outcome) return false;
      if (*outcome != 0) outcomes[index] = failure(*outcome, what(verb, addresses[index]));
      answered = index + 1;
      return false;
    });
    for (; !told && answered < addresses.size(); ++answered)
      outcomes[answered] = failure(told.error().code, what(verb, addresses[answered]));
    return outcomes;
  }

  static void put_address(MessageWriter& request, const InterfaceAddress& address) {
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(to_af(address.address.family()));
    header.ifa_prefixlen = address.prefix_length;
    header.ifa_index = static_cast<std::uint32_t>(address.link_index);
    request.header(header);
    request.put(IFA_LOCAL, address.address.bytes());
    request.put(IFA_ADDRESS, address.address.bytes());
  }

  static void put_properties(MessageWriter& request, const InterfaceAddress& address) {
    const bool ipv6 = address.address.family() == Family::kIpv6;
    if (address.protocol != 0) request.put_u8(IFA_PROTO, address.protocol);
    const std::uint32_t flags = (ipv6 ? IFA_F_NODAD : 0U) | (address.routed ? 0U : IFA_F_NOPREFIXROUTE);
    put_native_u32(request, IFA_FLAGS, flags);  // instead of the header's, which have no room for the second
    if (!ipv6) return;
    constexpr std::uint32_t kForever = 0xffffffff;
    const ifa_cacheinfo lifetimes{.ifa_prefered = 0, .ifa_valid = kForever, .cstamp = 0, .tstamp = 0};
    request.put(IFA_CACHEINFO, {reinterpret_cast<const std::uint8_t*>(&lifetimes), sizeof lifetimes});
  }

  Conversation kernel_;
  Socket events_;
  bool never_asked_ = true;
  std::array<std::uint8_t, kReceiveSize> buffer_;
};

}  // namespace

std::optional<Mac> mac_of(const Link& link) {
  Mac mac{};
  if (link.mac.size() != mac.size()) return std::nullopt;
  std::ranges::copy(link.mac, mac.begin());
  return mac;
}

Result<std::unique_ptr<Rtnl>> open_rtnl() {
  auto kernel = Conversation::open({.bus = NETLINK_ROUTE, .groups = {}, .receive_buffer = kReceiveBuffer});
  if (!kernel) return tl::make_unexpected(kernel.error());
  auto events = Socket::open({.bus = NETLINK_ROUTE,
                              .groups = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
                              .non_blocking = true,
                              .receive_buffer = kReceiveBuffer});
  if (!events) return tl::make_unexpected(events.error());
  return std::make_unique<KernelRtnl>(std::move(*kernel), std::move(*events));
}

}  // namespace wsl4::netlink::rtnl
