#include "daemon/election/transport.h"

#include <unistd.h>

#include <algorithm>

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
  std::unique_ptr<Transport> transport(new Transport(options, std::move(on_advert)));
  for (const auto& source : options.sources) {
    if (options.unicast_peer && options.unicast_peer->family() != source.family()) continue;
    if (auto added = transport->add(io, source); !added) return tl::make_unexpected(added.error());
  }
  if (transport->channels_.empty()) return netlink::failure(0, "no address on " + options.interface + " to send adverts from");
  return transport;
}

Result<void> Transport::add(boost::asio::io_context& io, const IpAddress& source) {
  auto socket = AdvertSocket::open(source.family(), options_.interface, options_.unicast_peer.has_value());
  if (!socket) return tl::make_unexpected(socket.error());
  boost::asio::posix::stream_descriptor readable(io);
  boost::system::error_code failed;
  readable.assign(::dup(socket->fd()), failed);
  if (failed) return netlink::failure(failed.value(), "watch adverts");
  const auto destination = options_.unicast_peer.value_or(advert_group(source.family()));
  channels_.push_back(std::make_unique<Channel>(Channel{std::move(*socket), source, destination, std::move(readable)}));
  wait(*channels_.back());
  return {};
}

void Transport::send(std::uint8_t priority, std::chrono::milliseconds interval, const std::vector<IpAddress>& vips) {
  const auto note = [this](std::string error) {
    ++stats_.failed;
    stats_.error = std::move(error);
  };
  for (const auto& channel : channels_) {
    Advert advert{options_.vrid, priority, interval, {}};
    std::ranges::copy_if(vips, std::back_inserter(advert.addresses),
                         [&](const IpAddress& vip) { return vip.family() == channel->source.family(); });
    if (advert.addresses.empty()) continue;
    const auto message = encode(advert, channel->source, channel->destination);
    if (!message) {
      note(message.error());
    } else if (const auto sent = channel->socket.send(*message, channel->source, channel->destination); !sent) {
      note(sent.error().message());
    } else {
      ++stats_.sent;
    }
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
