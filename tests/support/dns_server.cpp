#include "tests/support/dns_server.h"

#include <stdexcept>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace wsl4::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using dns::Bytes;

constexpr std::size_t kMaxUdpAnswer = 1232;  // what the client offers by EDNS

/// The first question of a query.
discovery::Question question_of(const Bytes& query) {
  discovery::Question question;
  std::size_t at = 12;
  while (at < query.size() && query[at] != 0) {
    const std::size_t length = query[at];
    if (!question.name.empty()) question.name += '.';
    for (std::size_t i = 1; i <= length && at + i < query.size(); ++i) question.name += static_cast<char>(query[at + i]);
    at += length + 1;
  }
  if (at + 2 < query.size()) question.type = static_cast<discovery::RecordType>(query[at + 1] << 8 | query[at + 2]);
  return question;
}

}  // namespace

DnsServer::DnsServer() {
  const auto loopback = asio::ip::address_v4::loopback();
  for (int attempt = 0; !tcp_.is_open(); ++attempt) {  // until UDP's port is free for TCP too
    if (attempt == 100) throw std::runtime_error("no port for a DNS server");
    udp_ = udp::socket(thread_.io(), udp::endpoint(loopback, 0));
    port_ = udp_.local_endpoint().port();
    boost::system::error_code error;
    tcp_.open(tcp::v4());
    tcp_.bind(tcp::endpoint(loopback, port_), error);
    if (error) tcp_.close();
  }
  tcp_.listen();
  asio::co_spawn(thread_.io(), serve_udp(), asio::detached);
  asio::co_spawn(thread_.io(), serve_tcp(), asio::detached);
  thread_.start();
}

netlink::Endpoint DnsServer::endpoint() const { return {*netlink::IpAddress::parse("127.0.0.1"), port_}; }

void DnsServer::set(std::vector<dns::Record> records) {
  const std::lock_guard lock(mutex_);
  records_ = std::move(records);
}

void DnsServer::set_mood(const std::string& name, Mood mood) {
  const std::lock_guard lock(mutex_);
  moods_[name] = mood;
}

std::multiset<std::string> DnsServer::asked_by_udp() const {
  const std::lock_guard lock(mutex_);
  return udp_questions_;
}

std::multiset<std::string> DnsServer::asked_by_tcp() const {
  const std::lock_guard lock(mutex_);
  return tcp_questions_;
}

asio::awaitable<void> DnsServer::serve_udp() {
  for (;;) {
    Bytes query(4096);
    udp::endpoint from;
    const auto space = asio::buffer(query);
    query.resize(co_await udp_.async_receive_from(space, from, asio::use_awaitable));
    const Bytes reply = reply_to(query, false);
    const auto bytes = asio::buffer(reply);
    if (!reply.empty()) co_await udp_.async_send_to(bytes, from, asio::use_awaitable);
  }
}

asio::awaitable<void> DnsServer::serve_tcp() {
  for (;;) {
    auto socket = co_await tcp_.async_accept(asio::use_awaitable);
    asio::co_spawn(thread_.io(), serve_connection(std::move(socket)), asio::detached);
  }
}

// Each message has its size in front (RFC 1035 4.2.2). Ends by an exception when the client closes.
asio::awaitable<void> DnsServer::serve_connection(tcp::socket socket) {
  for (;;) {
    Bytes size(2);
    const auto size_space = asio::buffer(size);
    co_await asio::async_read(socket, size_space, asio::use_awaitable);
    Bytes query(static_cast<std::size_t>(size[0] << 8 | size[1]));
    const auto space = asio::buffer(query);
    co_await asio::async_read(socket, space, asio::use_awaitable);
    Bytes reply = reply_to(query, true);
    if (reply.empty()) continue;
    const auto length = reply.size();
    reply.insert(reply.begin(), {static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
    const auto bytes = asio::buffer(reply);
    co_await asio::async_write(socket, bytes, asio::use_awaitable);
  }
}

Bytes DnsServer::reply_to(const Bytes& query, bool tcp) {
  const std::lock_guard lock(mutex_);
  const auto question = question_of(query);
  const auto id = static_cast<std::uint16_t>(query.at(0) << 8 | query.at(1));
  (tcp ? tcp_questions_ : udp_questions_).insert(question.name + " " + std::string(to_string(question.type)));

  bool exists = false;
  std::vector<dns::Record> records;
  for (const auto& record : records_) {
    exists = exists || record.name == question.name;
    if (record.name == question.name && record.type == static_cast<std::uint16_t>(question.type)) records.push_back(record);
  }
  const auto mood = moods_.find(moods_.contains(question.name) ? question.name : "");
  switch (mood == moods_.end() ? Mood::kAnswers : mood->second) {
    case Mood::kSilent:
      return {};
    case Mood::kServerFails:
      return dns::answer(id, question, {}, 2);
    case Mood::kScribbles:
      return {query[0], query[1], 0xff, 0xff, 0xff};
    case Mood::kGarbage: {
      auto reply = dns::answer(id, question, {{}});
      reply.resize(reply.size() - 6, 0xff);
      return reply;
    }
    case Mood::kTruncates:
      if (!tcp) return dns::answer(id, question, {}, 0, true);
      break;
    case Mood::kAnswers:
      break;
  }
  auto reply = dns::answer(id, question, records, exists ? 0 : 3);
  if (!tcp && reply.size() > kMaxUdpAnswer) reply = dns::answer(id, question, {}, 0, true);
  return reply;
}

}  // namespace wsl4::test
