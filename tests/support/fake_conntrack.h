// Connection tracking in memory. tests/integration/conntrack_fake_test.cpp compares it with the kernel. No time passes in it:
// nothing expires, timeouts stay as they were given.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "netlink/conntrack/conntrack.h"
#include "netlink/handle.h"

namespace wsl4::test {

class FakeConntrack final : public netlink::conntrack::Conntrack {
 public:
  using Flow = netlink::conntrack::Flow;
  using MarkFilter = netlink::conntrack::MarkFilter;

  /// Puts an entry there as traffic would have made it, id and status as they are (id 0: one is chosen). It must not clash.
  void add(Flow flow);
  /// The entry with this original tuple.
  [[nodiscard]] std::optional<Flow> find(const netlink::conntrack::Tuple& original) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  /// The next call of any kind fails with this.
  void fail_next(netlink::Error error) { next_error_ = std::move(error); }
  /// No more entries than this; one more is refused with ENOMEM.
  void set_limit(std::size_t entries) { limit_ = entries; }
  /// Entries shown by one step of a dump.
  void set_dump_step(std::size_t entries) { dump_step_ = entries; }

  netlink::Result<std::unique_ptr<netlink::conntrack::Dump>> dump(MarkFilter filter) override;
  netlink::Result<std::uint64_t> count() override;
  netlink::Result<std::vector<std::optional<Flow>>> find(std::span<const Flow> flows) override;
  netlink::Result<std::size_t> erase(std::span<const Flow> flows) override;
  netlink::Result<std::size_t> erase_by_reply(std::span<const Flow> flows) override;
  netlink::Result<std::vector<int>> insert(std::span<const Flow> flows) override;
  netlink::Result<std::vector<int>> set_timeouts(std::span<const Flow> flows) override;
  netlink::Result<std::vector<int>> set_closed(std::span<const Flow> flows, std::uint32_t mark_bits) override;
  netlink::Result<std::vector<int>> set_marks(std::span<const Flow> flows, std::uint32_t mask) override;

 private:
  struct Key {
    netlink::Protocol protocol;
    netlink::Endpoint source, destination;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  static Key key_of(const netlink::conntrack::Tuple& tuple);
  [[nodiscard]] bool is_taken(const netlink::conntrack::Tuple& tuple) const;
  std::optional<netlink::Error> take_error() { return std::exchange(next_error_, std::nullopt); }
  void remove(std::map<Key, Flow>::iterator place);

  std::map<Key, Flow> entries_;   // by original tuple
  std::map<Key, Key> originals_;  // reply tuple -> original tuple
  std::uint32_t next_id_ = 1;
  std::size_t dump_step_ = 135, limit_ = SIZE_MAX;
  std::optional<netlink::Error> next_error_;
};

/// Events as a test scripts them. The descriptor is readable while some are left.
class FakeEventSource final : public netlink::conntrack::EventSource {
 public:
  FakeEventSource();
  void push(netlink::conntrack::EventKind kind, const netlink::conntrack::Flow& flow);
  /// Events are lost here: the next `drain` says so.
  void push_overrun();
  /// The next `drain` fails with this.
  void fail_next(netlink::Error error) { next_error_ = std::move(error); }

  [[nodiscard]] int fd() const override { return readable_.get(); }
  netlink::Result<netlink::conntrack::Drained> drain(std::size_t budget, const netlink::conntrack::EventSink& sink) override;
  netlink::Result<void> listen(bool on) override;

 private:
  void show_readable();

  std::deque<netlink::conntrack::Event> events_;
  bool overrun_ = false, listening_ = true;
  std::optional<netlink::Error> next_error_;
  netlink::Fd readable_;
};

}  // namespace wsl4::test
