#include "daemon/election/transport.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace wsl4::election {

using netlink::Result;

std::optional<IpAddress> advert_source(const std::vector<netlink::rtnl::InterfaceAddress>& addresses, int link_index, Family family,
                                       const std::optional<IpAddress>& unicast_peer, const std::vector<IpAddress>& moving) {
  for (const auto& entry : addresses) {
    if (entry.link_index != link_index || entry.address.family() != family) continue;
    if (entry.protocol == netlink::rtnl::kAddressProtocol || std::ranges::count(moving, entry.address) > 0) continue;
    if (unicast_peer && !netlink::Prefix{entry.address, entry.prefix_length}.contains(*unicast_peer)) continue;
    if (!unicast_peer && family == Family::kIpv6 && !entry.address.is_link_local()) continue;
    return entry.address;
  }
  return {};
}

Result<std::unique_ptr<Transport>> Transport::open(boost::asio::io_context& io, const Options& options, OnAdvert on_advert) {
  std::unique_ptr<Transport> transport(new Transport(io, options, std::move(on_advert)));
  for (const auto& source : options.sources) {
    if (options.unicast_peer && options.unicast_peer->family() != source.family()) continue;
    auto channel = transport->open_channel(source);
    if (!channel) return tl::make_unexpected(channel.error());
    transport->channels_.push_back(std::move(*channel));
    transport->wait(*transport->channels_.back());
  }
  if (transport->channels_.empty()) return netlink::failure(0, "no address on " + options.interface + " to send adverts from");
  return transport;
}

Result<std::unique_ptr<Transport::Channel>> Transport::open_channel(const IpAddress& source) {
  auto socket = AdvertSocket::open(source.family(), options_.interface, options_.unicast_peer.has_value());
  if (!socket) return tl::make_unexpected(socket.error());
  boost::asio::posix::stream_descriptor readable(io_);
  boost::system::error_code failed;
  readable.assign(::dup(socket->fd()), failed);
  if (failed) return netlink::failure(failed.value(), "watch adverts");
  const auto destination = options_.unicast_peer.value_or(advert_group(source.family()));
  return std::make_unique<Channel>(Channel{std::move(*socket), source, destination, std::move(readable)});
}

void Transport::send(std::uint8_t priority, std::chrono::milliseconds interval, const std::vector<IpAddress>& vips) {
  std::string error = "there is no VIP of a family in which this node can send";
  bool tried = false;
  for (const auto& channel : channels_) {
    Advert advert{options_.vrid, priority, interval, {}};
    for (const auto& vip : vips) {
      if (vip.family() == channel->source.family() && advert.addresses.size() < kMaxAdvertAddresses)
        advert.addresses.push_back(vip);
    }
    if (advert.addresses.empty()) continue;
    if (!std::exchange(tried, true)) error.clear();
    if (auto sent = send(*channel, advert); !sent) error = std::move(sent.error());
  }
  if (!error.empty()) ++stats_.failed;
  stats_.error = std::move(error);
}

tl::expected<void, std::string> Transport::send(const Channel& channel, const Advert& advert) {
  const auto message = encode(advert, channel.source, channel.destination);
  if (!message) return tl::make_unexpected(message.error());
  const auto sent = channel.socket.send(*message, channel.source, channel.destination);
  if (!sent) return tl::make_unexpected(sent.error().message());
  ++stats_.sent;
  return {};
}

/// A socket stays with the interface that it was opened for, also when that is deleted and another one of its name has come.
void Transport::follow(const std::vector<IpAddress>& sources) {
  const auto index = static_cast<int>(::if_nametoindex(options_.interface.c_str()));
  for (auto& channel : channels_) {
    const auto source = std::ranges::find(sources, channel->source.family(), &IpAddress::family);
    if (source != sources.end()) channel->source = *source;
    if (index == 0 || index == channel->socket.interface_index()) continue;
    auto renewed = open_channel(channel->source);
    if (!renewed) continue;
    *channel = std::move(**renewed);
    wait(*channel);
  }
}

void Transport::wait(Channel& channel) {
  channel.readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [this, &channel](const boost::system::error_code& failed) {
                                if (!failed) receive(channel);
                              });
}

void Transport::receive(Channel& channel) {
  PacketBuffer buffer;
  for (std::size_t i = 0; i < kReceiveBudget; ++i) {
    const auto packet = channel.socket.receive(buffer);
    if (!packet) break;
    take(*packet);
  }
  wait(channel);
}

void Transport::take(const Packet& packet) {
  const auto advert = decode(packet, {options_.vrid, options_.unicast_peer});
  if (!advert) {
    ++stats_.rejected.at(static_cast<std::size_t>(advert.error()));
    return;
  }
  ++stats_.received;
  on_advert_(*advert, packet.source);
}

}  // namespace wsl4::election
