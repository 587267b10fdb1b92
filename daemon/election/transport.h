// Adverts to and from the wire, in both families, on one interface. On the thread of one io_context.
//
// Sent are protocol 112, TTL or hop limit 255 (RFC 9568 5.1), from this node's own address on the interface, to the group or to
// `unicast_peer`. What comes in is checked (advert.h); what is nobody's advert is counted and has no other effect. A wake-up reads
// at most kReceiveBudget packets of a family, so that a flood does not starve what else the thread does.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "daemon/election/advert_socket.h"
#include "netlink/result.h"
#include "netlink/rtnl/rtnl.h"

namespace wsl4::election {

inline constexpr std::size_t kReceiveBudget = 32;

/// The address on link `link_index` that adverts come from. IPv4: the first of `addresses`; IPv6: the first link-local one; with a
/// peer the first one in whose prefix it lies. Addresses that move with the role (kAddressProtocol, and `moving`) are never it.
/// None where there is none.
[[nodiscard]] std::optional<IpAddress> advert_source(const std::vector<netlink::rtnl::InterfaceAddress>& addresses, int link_index,
                                                     Family family, const std::optional<IpAddress>& unicast_peer,
                                                     const std::vector<IpAddress>& moving);

struct TransportStats {
  std::uint64_t sent = 0, received = 0;               // adverts
  std::uint64_t failed = 0;                           // sendings that failed in a family, or in all
  std::array<std::uint64_t, kRejections> rejected{};  // by Rejection
  std::string error;                                  // of the last sending; empty: it went well
};

class Transport {
 public:
  struct Options {
    std::string interface;
    std::uint8_t vrid = 51;
    std::optional<IpAddress> unicast_peer;  // then only its family is used
    std::vector<IpAddress> sources;         // at most one of each family; only their families are used
  };
  using OnAdvert = std::function<void(const Advert& advert, const IpAddress& source)>;

  /// Sockets belong to the network namespace of the calling thread. Needs CAP_NET_RAW. ENODEV: no such interface.
  static netlink::Result<std::unique_ptr<Transport>> open(boost::asio::io_context& io, const Options& options, OnAdvert on_advert);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// In each family in use, with those of `vips` that are of it, at most the 255 that an advert holds; none of them, no advert.
  /// Never blocks; a failure is counted.
  void send(std::uint8_t priority, std::chrono::milliseconds interval, const std::vector<IpAddress>& vips);

  /// The interface may be another one of the same name, with other addresses: as Options::sources.
  void follow(const std::vector<IpAddress>& sources);

  [[nodiscard]] const TransportStats& stats() const { return stats_; }

 private:
  struct Channel {
    AdvertSocket socket;
    IpAddress source, destination;
    boost::asio::posix::stream_descriptor readable;  // a duplicate: the socket keeps its own
  };

  Transport(boost::asio::io_context& io, Options options, OnAdvert on_advert)
      : io_(io), options_(std::move(options)), on_advert_(std::move(on_advert)) {}
  netlink::Result<std::unique_ptr<Channel>> open_channel(const IpAddress& source);
  tl::expected<void, std::string> send(const Channel& channel, const Advert& advert);
  void wait(Channel& channel);
  void receive(Channel& channel);
  void take(const Packet& packet);

  boost::asio::io_context& io_;
  Options options_;
  OnAdvert on_advert_;
  std::vector<std::unique_ptr<Channel>> channels_;
  TransportStats stats_;
};

}  // namespace wsl4::election
