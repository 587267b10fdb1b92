// A small real DNS server over UDP and TCP on 127.0.0.1, with records and faults as the test wants them.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "netlink/ip.h"
#include "tests/support/dns_message.h"
#include "tests/support/http_bed.h"

namespace wsl4::test {

class DnsServer {
 public:
  enum class Mood {
    kAnswers,
    kTruncates,    // over UDP an empty answer that says so; over TCP the whole one
    kServerFails,  // SERVFAIL
    kSilent,
    kGarbage,    // the header of an answer and then bytes without sense
    kScribbles,  // bytes that are no answer at all
  };

  DnsServer();
  ~DnsServer() { thread_.stop(); }
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  [[nodiscard]] netlink::Endpoint endpoint() const;

  /// Replaces all records. A name without records is NXDOMAIN; one with records of other types has no data.
  void set(std::vector<dns::Record> records);
  /// Of one name, or ("") of all others.
  void set_mood(const std::string& name, Mood mood);

  /// Questions that came by UDP and by TCP, with the name in front: "a.example A".
  [[nodiscard]] std::multiset<std::string> asked_by_udp() const;
  [[nodiscard]] std::multiset<std::string> asked_by_tcp() const;

 private:
  boost::asio::awaitable<void> serve_udp();
  boost::asio::awaitable<void> serve_tcp();
  boost::asio::awaitable<void> serve_connection(boost::asio::ip::tcp::socket socket);
  /// Empty: nothing is sent.
  dns::Bytes reply_to(const dns::Bytes& query, bool tcp);

  IoThread thread_;
  boost::asio::ip::udp::socket udp_{thread_.io()};
  boost::asio::ip::tcp::acceptor tcp_{thread_.io()};
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;  // of all below
  std::vector<dns::Record> records_;
  std::map<std::string, Mood> moods_;
  std::multiset<std::string> udp_questions_, tcp_questions_;
};

}  // namespace wsl4::test
