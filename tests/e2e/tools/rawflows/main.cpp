// rawflows: more connections through a balancer than sockets could hold, both ends faked on the cards `front` and `back`.
//
//   rawflows BACKENDS_NETNS FRONT_MAC BACK_MAC VIP PORT+COUNT SOURCE+COUNT
//
// Runs in the clients' network namespace; the other one is named as ip netns names it, the MACs are the balancer's. In both the
// kernel must keep silent (drop in its input hook). Commands are lines on standard input, answers lines of JSON:
//   open N RATE [stop]     N more connections, RATE a second; with stop none after the first refusal
//   end N RATE HOW         N random ones, by HOW (fin, reset, both)
//   churn SECONDS RATE HOW [ENDS [each]]
//                          RATE begin and ENDS (default: as many) end, a second; with each so many on each backend
//   wait SECONDS RESETS    until so many have been reset, or the time is over
//   mute 0|1               whether servers leave SYNs unanswered
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "tests/e2e/tools/rawflows/flows.h"

namespace {

using rawflows::End;

std::unique_ptr<rawflows::Wire> open_there(const std::string& name, const std::string& card, const rawflows::Mac& peer) {
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (home < 0 || there < 0 || ::setns(there, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter " + name);
  auto wire = std::make_unique<rawflows::Wire>(card, peer);
  if (::setns(home, CLONE_NEWNET) != 0) throw std::runtime_error("cannot come back");
  ::close(home);
  ::close(there);
  return wire;
}

/// "443+8" as a word and a number.
std::pair<std::string, unsigned> split(const std::string& text) {
  const auto plus = text.find('+');
  if (plus == std::string::npos) return {text, 1};
  return {text.substr(0, plus), static_cast<unsigned>(std::stoul(text.substr(plus + 1)))};
}

End end_of(const std::string& word) { return word == "fin" ? End::kFin : word == "reset" ? End::kReset : End::kBoth; }

void obey(rawflows::Flows& flows, const std::string& line) {
  std::istringstream words(line);
  std::string verb, how, each;
  double first = 0, second = 0;
  words >> verb >> first >> second >> how;
  double ends = 0;
  if (!(words >> ends)) ends = second;
  words >> each;
  if (verb == "open") {
    flows.open(static_cast<std::uint64_t>(first), second, how == "stop");
  } else if (verb == "end") {
    flows.end(static_cast<std::uint64_t>(first), second, end_of(how));
  } else if (verb == "churn") {
    flows.churn(first, second, ends, end_of(how), each == "each");
  } else if (verb == "wait") {
    flows.wait(first, static_cast<std::uint64_t>(second));
  } else if (verb == "mute") {
    flows.mute(first != 0);
  } else {
    throw std::runtime_error("what is " + verb + "?");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves no load behind
  if (argc != 7) return std::fputs("usage: rawflows BACKENDS_NETNS FRONT_MAC BACK_MAC VIP PORT+COUNT SOURCE+COUNT\n", stderr), 2;
  rawflows::Wire front("front", rawflows::parse_mac(argv[2]));
  const auto back = open_there(argv[1], "back", rawflows::parse_mac(argv[3]));
  const auto [port, ports] = split(argv[5]);
  const auto [source, sources] = split(argv[6]);
  rawflows::Flows flows(front, *back,
                        {rawflows::parse_address(source), sources, rawflows::parse_address(argv[4]),
                         static_cast<std::uint16_t>(std::stoul(port)), static_cast<std::uint16_t>(ports)});
  fmt::print("{}\n", R"({"ready": true})");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    obey(flows, line);
    fmt::print("{}\n", flows.take_report());
    std::fflush(stdout);
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print("{{\"error\": \"{}\"}}\n", error.what());
  return 1;
}
