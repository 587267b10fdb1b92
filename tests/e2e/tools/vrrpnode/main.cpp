// One VRRP router for tests: daemon/election's transport and machine on an interface, by the RFC alone, without addresses or a
// peer.
//
// usage: vrrpnode INTERFACE VRID PRIORITY INTERVAL_MS preempt|nopreempt UNICAST_PEER|- VIP...
// Says "active", "backup", and "heard PRIORITY INTERVAL_MS SOURCE VIP..." for each advert unlike the one before. Reads lines:
// "stats" is answered by one with all counters; "stop", as the end of the input, by an advert of priority 0 and the end.
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>

#include "daemon/election/transport.h"
#include "daemon/election/vrrp.h"

namespace {

namespace asio = boost::asio;
using namespace wsl4::election;

struct Options {
  Transport::Options transport;
  Vrrp::Settings vrrp;
  std::vector<IpAddress> vips;
};

template <class Value>
Value must(tl::expected<Value, wsl4::netlink::Error> result) {
  if (result) return std::move(*result);
  std::cerr << result.error().message() << '\n';
  std::exit(1);
}

int number(std::string_view text) {
  int value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) return value;
  std::cerr << text << " is no number\n";
  std::exit(2);
}

Options read_options(const std::vector<std::string>& words) {
  if (words.size() < 7) {
    std::cerr << "usage: vrrpnode INTERFACE VRID PRIORITY INTERVAL_MS preempt|nopreempt UNICAST_PEER|- VIP...\n";
    std::exit(2);
  }
  Options options;
  options.transport.interface = words[0];
  options.transport.vrid = static_cast<std::uint8_t>(number(words[1]));
  options.vrrp.priority = number(words[2]);
  options.vrrp.interval = std::chrono::milliseconds(number(words[3]));
  options.vrrp.preempt = words[4] == "preempt";
  options.transport.unicast_peer = IpAddress::parse(words[5]);
  for (std::size_t i = 6; i < words.size(); ++i) options.vips.push_back(IpAddress::parse(words[i]).value());
  return options;
}

void find_sources(Options& options) {
  const auto rtnl = must(wsl4::netlink::rtnl::open_rtnl());
  const auto addresses = must(rtnl->addresses());
  for (const auto& link : must(rtnl->links())) {
    if (link.name != options.transport.interface) continue;
    for (const auto family : {Family::kIpv4, Family::kIpv6}) {
      const auto source = advert_source(addresses, link.index, family, options.transport.unicast_peer, options.vips);
      if (source) options.transport.sources.push_back(*source);
    }
  }
  if (!options.transport.sources.empty()) options.vrrp.address = options.transport.sources.front();
}

class Node {
 public:
  explicit Node(const Options& options)
      : options_(options),
        vrrp_(options.vrrp),
        transport_(must(Transport::open(io_, options.transport,
                                        [this](const Advert& advert, const IpAddress& source) { hear(advert, source); }))),
        timer_(io_),
        commands_(io_, ::dup(STDIN_FILENO)) {}

  void run() {
    vrrp_.start(now());
    say("backup");
    settle();
    read_command();
    io_.run();
  }

 private:
  static TimePoint now() { return std::chrono::steady_clock::now(); }
  static void say(const std::string& line) { std::cout << line << std::endl; }

  void hear(const Advert& advert, const IpAddress& source) {
    std::vector<std::string> vips;
    for (const auto& vip : advert.addresses) vips.push_back(vip.to_string());
    const auto heard =
        fmt::format("heard {} {} {} {}", advert.priority, advert.interval.count(), source.to_string(), fmt::join(vips, " "));
    if (std::exchange(heard_[source], heard) != heard) say(heard);
    vrrp_.receive(advert, source, now());
    settle();
  }

  void settle() {
    vrrp_.tick(now());
    for (const auto output : vrrp_.take_outputs()) {
      if (output == Vrrp::Output::kAdvertise) send(options_.vrrp.priority);
      if (output == Vrrp::Output::kResign) send(0);
      if (output == Vrrp::Output::kBecameActive) say("active");
      if (output == Vrrp::Output::kBecameBackup) say("backup");
    }
    const auto due = vrrp_.due();
    if (!due) return;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) settle();
    });
  }

  void send(int priority) { transport_->send(static_cast<std::uint8_t>(priority), options_.vrrp.interval, options_.vips); }

  void read_command() {
    asio::async_read_until(commands_, input_, '\n', [this](const boost::system::error_code& ended, std::size_t) {
      std::string line;
      std::istream stream(&input_);
      std::getline(stream, line);
      if (ended || line == "stop") return stop();
      if (line == "stats") say_stats();
      read_command();
    });
  }

  void stop() {
    vrrp_.stop();
    settle();
    io_.stop();
  }

  void say_stats() {
    const auto& stats = transport_->stats();
    std::string line = fmt::format("stats sent={} received={} failed={}", stats.sent, stats.received, stats.failed);
    for (std::size_t i = 0; i < kRejections; ++i)
      line += fmt::format(" {}={}", to_string(static_cast<Rejection>(i)), stats.rejected[i]);
    say(line);
  }

  Options options_;
  asio::io_context io_;
  Vrrp vrrp_;
  std::unique_ptr<Transport> transport_;
  asio::steady_timer timer_;
  asio::posix::stream_descriptor commands_;
  asio::streambuf input_;
  std::map<IpAddress, std::string> heard_;
};

}  // namespace

int main(int argc, char** argv) {
  auto options = read_options({argv + 1, argv + argc});
  find_sources(options);
  Node(options).run();
  return 0;
}
