// A collector over a scripted kernel.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/flows/collector.h"
#include "netlink/handle.h"
#include "tests/support/recording_prober.h"

namespace wsl4::flows {

using namespace std::chrono_literals;
using netlink::Endpoint;
using netlink::Result;
using netlink::conntrack::Event;
using netlink::conntrack::EventKind;
using netlink::conntrack::Flow;
using netlink::conntrack::TcpState;

inline constexpr std::chrono::seconds kHourAndMargin = 4200s;
inline constexpr std::chrono::seconds kLongestTimer{2'147'483};  // of a kernel with 1000 ticks a second

inline const service::MarkLayout kCollectedMark;

inline Flow counted(std::uint16_t port, service::BackendId id = 1, std::chrono::seconds left = kHourAndMargin) {
  Flow flow;
  flow.original = {*Endpoint::parse("198.18.1.10:1"), *Endpoint::parse("198.18.1.100:443")};
  flow.reply = {*Endpoint::parse("198.18.2.11:80"), *Endpoint::parse("198.18.2.101:1")};
  flow.original.source.port = flow.reply.destination.port = port;
  flow.id = port;
  flow.status = netlink::conntrack::status::kAssured;
  flow.mark = kCollectedMark.to_mark(id);
  flow.tcp_state = TcpState::kEstablished;
  flow.timeout = left;
  return flow;
}

/// The kernel's table as a list; a dump shows what was there when it began, two entries a step.
class ScriptedConntrack final : public netlink::conntrack::Conntrack {
 public:
  std::vector<Flow> table;
  std::vector<Flow> erased;
  std::function<void()> during_dump = [] {};  // after each step

  Result<std::unique_ptr<netlink::conntrack::Dump>> dump(netlink::conntrack::MarkFilter) override {
    class Listing final : public netlink::conntrack::Dump {
     public:
      Listing(std::vector<Flow> flows, std::function<void()> after_step)
          : flows_(flows.begin(), flows.end()), after_step_(std::move(after_step)) {}
      Result<bool> step(const netlink::conntrack::FlowSink& sink) override {
        for (int count = 0; count < 2 && !flows_.empty(); ++count) {
          sink(flows_.front());
          flows_.pop_front();
        }
        after_step_();
        return !flows_.empty();
      }

     private:
      std::deque<Flow> flows_;
      std::function<void()> after_step_;
    };
    return std::make_unique<Listing>(table, during_dump);
  }
  Result<std::uint64_t> count() override { return table.size(); }
  Result<std::vector<std::optional<Flow>>> find(std::span<const Flow> flows) override {
    std::vector<std::optional<Flow>> found;
    for (const auto& wanted : flows) {
      const auto place = std::ranges::find(table, wanted.id, &Flow::id);
      found.push_back(place == table.end() ? std::nullopt : std::optional(*place));
    }
    return found;
  }
  Result<std::size_t> erase(std::span<const Flow> flows) override {
    erased.insert(erased.end(), flows.begin(), flows.end());
    return flows.size();
  }
  Result<std::size_t> erase_by_reply(std::span<const Flow>) override { return 0; }
  Result<std::vector<int>> insert(std::span<const Flow>) override { return std::vector<int>{}; }
  Result<std::vector<int>> set_timeouts(std::span<const Flow> flows) override {
    for (const auto& wanted : flows)
      std::ranges::find(table, wanted.id, &Flow::id)->timeout = std::min(wanted.timeout, kLongestTimer);
    return std::vector<int>(flows.size(), 0);
  }
  Result<std::vector<int>> set_closed(std::span<const Flow>, std::uint32_t) override { return std::vector<int>{}; }
  Result<std::vector<int>> set_marks(std::span<const Flow> flows, std::uint32_t mask) override {
    for (const auto& wanted : flows) {
      auto& mark = std::ranges::find(table, wanted.id, &Flow::id)->mark;
      mark = (mark & ~mask) | (wanted.mark & mask);
    }
    return std::vector<int>(flows.size(), 0);
  }
  [[nodiscard]] std::vector<std::chrono::seconds> timers() const {
    std::vector<std::chrono::seconds> timers;
    for (const auto& flow : table) timers.push_back(flow.timeout);
    return timers;
  }
};

/// Events on demand.
class ScriptedEvents final : public netlink::conntrack::EventSource {
 public:
  struct Script {
    std::deque<Event> events;
    bool overrun = false, broken = false, listening = true;
    int drains = 0;
    netlink::Fd readable{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    void add(EventKind kind, Flow flow) {
      events.push_back({kind, std::move(flow)});
      wake();
    }
    void lose() {
      overrun = true;
      wake();
    }
    void wake() const {
      const std::uint64_t one = 1;
      ASSERT_EQ(::write(readable.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    }
  };

  explicit ScriptedEvents(Script& script) : script_(script) {}
  [[nodiscard]] int fd() const override { return script_.readable.get(); }
  Result<netlink::conntrack::Drained> drain(std::size_t budget, const netlink::conntrack::EventSink& sink) override {
    ++script_.drains;
    if (script_.broken) return netlink::failure(EBADF, "events");
    netlink::conntrack::Drained drained;
    for (; drained.events < budget && !script_.events.empty(); ++drained.events) {
      sink(script_.events.front());
      script_.events.pop_front();
    }
    std::uint64_t count = 0;
    if (script_.events.empty() && ::read(script_.readable.get(), &count, sizeof count) < 0) drained.more = false;
    drained.overrun = std::exchange(script_.overrun, false);
    return drained;
  }
  Result<void> listen(bool on) override {
    script_.listening = on;
    return {};
  }

 private:
  Script& script_;
};

class RecordingObserver final : public FlowObserver {
 public:
  std::vector<std::string> told, waiting;

  void seen(const Flow&) override { waiting.emplace_back("seen"); }
  void ended(const Flow&) override { waiting.emplace_back("ended"); }
  void dump_began() override { waiting.emplace_back("began"); }
  void dumped(const Flow&) override { waiting.emplace_back("dumped"); }
  void dump_ended(bool whole) override { waiting.emplace_back(whole ? "whole" : "broken"); }
  void flush() override {
    told.insert(told.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }
};

class CollectorTest : public testing::Test {
 protected:
  std::unique_ptr<Collector> make() {
    auto collector = std::make_unique<Collector>(
        io, kCollectedMark,
        Collector::Dependencies{conntrack, std::make_unique<ScriptedEvents>(events), ender, [] { return kHourAndMargin; },
                                [this] { ++overruns; }, [](const auto&) {}, &observer, &numbers});
    if (keeps_history) {
      using TimePoint = TimeoutHistory::TimePoint;
      collector->set_timeout_history(TimeoutHistory({{kHourAndMargin, TimePoint{} - 1000h, TimePoint::max()}}));
    }
    return collector;
  }
  /// Runs what is due until `done`.
  void run_until(const std::function<bool()>& done) {
    while (!done()) io.run_one();
  }

  boost::asio::io_context io;
  ScriptedConntrack conntrack;
  ScriptedEvents::Script events;
  test::RecordingProber prober;
  FlowEnder ender{conntrack, prober};
  RecordingObserver observer;
  BackendNumbers numbers;
  int overruns = 0;
  bool keeps_history = true;  // since long
};

}  // namespace wsl4::flows
