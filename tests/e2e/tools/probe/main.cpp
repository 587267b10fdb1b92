// probe: how long a way was cut, by a datagram every millisecond and its echo. UDP, since TCP's retransmission doubles an outage.
//
//   probe server LISTEN...
//   probe client TARGET
//
// The client's commands, a line each on standard input, whose end is the program's:
//   report    {"sent":N,"answered":N,"gap_ms":X} since the last report; the gap is the longest time between two datagrams that were
//             sent one after the other of those that were answered
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/e2e/tools/wsload/endpoint.h"

namespace {

using Clock = std::chrono::steady_clock;
using wsload::SocketAddress;
constexpr std::chrono::milliseconds kInterval{1};
/// An answer that takes longer is none.
constexpr std::chrono::milliseconds kPatience{50};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int serve(const std::vector<std::string>& arguments) {
  std::vector<pollfd> sockets;
  for (const auto& argument : arguments) {
    auto address = wsload::parse_endpoint(argument);
    if (!address) return 2;
    const int fd = ::socket(address->get()->sa_family, SOCK_DGRAM, 0);
    if (fd < 0 || ::bind(fd, address->get(), address->length) != 0) fail(argument.c_str());
    sockets.push_back({fd, POLLIN, 0});
  }
  fmt::print("{{\"done\":\"ready\"}}\n");
  std::fflush(stdout);
  std::array<char, 64> data{};
  for (;;) {
    if (::poll(sockets.data(), sockets.size(), -1) < 0) fail("poll");
    for (const auto& socket : sockets) {
      SocketAddress peer;
      peer.length = sizeof(peer.storage);
      const auto size = ::recvfrom(socket.fd, data.data(), data.size(), MSG_DONTWAIT, peer.get(), &peer.length);
      if (size > 0) ::sendto(socket.fd, data.data(), static_cast<std::size_t>(size), 0, peer.get(), peer.length);
    }
  }
}

class Client {
 public:
  explicit Client(SocketAddress target) : socket_(::socket(target.get()->sa_family, SOCK_DGRAM, 0)) {
    if (socket_ < 0 || ::connect(socket_, target.get(), target.length) != 0) fail("connect");
  }

  void run() {
    fmt::print("{{\"done\":\"ready\"}}\n");
    std::fflush(stdout);
    auto next = Clock::now();
    while (!ended_) {
      const auto now = Clock::now();
      if (now >= next) {
        send(now);
        next = std::max(next + kInterval, now);
      }
      wait(next - Clock::now());
    }
  }

 private:
  struct Probe {
    Clock::time_point sent;
    bool answered = false;
  };

  void send(Clock::time_point now) {
    const std::uint64_t number = probes_.size();
    probes_.push_back({now, false});
    // While nobody owns the address the kernel refuses: that is a lost datagram too.
    const auto sent = ::send(socket_, &number, sizeof(number), MSG_DONTWAIT);
    static_cast<void>(sent);
  }

  void wait(Clock::duration time) {
    std::array<pollfd, 2> sources{{{socket_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    timespec limit{0, std::max<long>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(time).count())};
    if (::ppoll(sources.data(), sources.size(), &limit, nullptr) < 0) fail("poll");
    std::uint64_t number = 0;
    while (::recv(socket_, &number, sizeof(number), MSG_DONTWAIT) == sizeof(number)) {
      if (number < probes_.size() && Clock::now() - probes_[number].sent < kPatience) probes_[number].answered = true;
    }
    if (sources[1].revents != 0) command();
  }

  void command() {
    std::array<char, 256> line{};
    const auto size = ::read(STDIN_FILENO, line.data(), line.size());
    if (size <= 0) {
      ended_ = true;
    } else {
      report();
    }
  }

  void report() {
    std::size_t answered = 0;
    Clock::duration gap{0};
    const Probe* last = nullptr;
    std::size_t kept = 0;
    for (std::size_t i = first_; i < probes_.size(); ++i) {
      if (!probes_[i].answered) continue;
      ++answered;
      if (last != nullptr) gap = std::max(gap, probes_[i].sent - last->sent);
      last = &probes_[i];
      kept = i;
    }
    fmt::print("{{\"done\":\"report\",\"sent\":{},\"answered\":{},\"gap_ms\":{:.1f}}}\n", probes_.size() - first_, answered,
               std::chrono::duration<double, std::milli>(gap).count());
    std::fflush(stdout);
    if (last != nullptr) first_ = kept;
  }

  int socket_;
  std::vector<Probe> probes_;
  std::size_t first_ = 0;
  bool ended_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves no load behind
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() >= 2 && arguments[0] == "server") return serve({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 2 && arguments[0] == "client") {
    const auto target = wsload::parse_endpoint(arguments[1]);
    if (target) {
      Client(*target).run();
      return 0;
    }
  }
  std::fputs("usage: probe server LISTEN... | probe client TARGET\n", stderr);
  return 2;
}
