// The border to the kernel's connection tracking: dump, events, delete, insert. Own message layer and raw parser on libmnl
// (kernel.md's measurements: three times faster than libnetfilter_conntrack, no allocation per entry).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink/conntrack/flow.h"
#include "netlink/result.h"

namespace wsl4::netlink::conntrack {

/// Entries whose `mark & mask == value` pass; filtered in the kernel. mask 0: all.
struct MarkFilter {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};

using FlowSink = std::function<void(const Flow&)>;

/// One dump in progress; `step` reads one kernel buffer (at most 32 KiB, about 135 entries), so that the caller can do other
/// work in between. The kernel's dump is no snapshot: entries that come or go meanwhile may be missing or shown twice.
class Dump {
 public:
  virtual ~Dump() = default;
  /// True while there is more.
  virtual Result<bool> step(const FlowSink& sink) = 0;
};

class Conntrack {
 public:
  virtual ~Conntrack() = default;

  /// Both families, TCP and UDP. A Dump uses a socket of its own; several may run.
  virtual Result<std::unique_ptr<Dump>> dump(MarkFilter filter) = 0;
  /// How many entries the network namespace has, everybody's.
  virtual Result<std::uint64_t> count() = 0;
  /// The entries with these original tuples (and ids, where they are not 0) as they are now, in order; none: it is gone.
  virtual Result<std::vector<std::optional<Flow>>> find(std::span<const Flow> flows) = 0;
  /// Deletes entries by their original tuple, in batches; an entry that is gone is no error. Returns how many were deleted.
  /// With `id` != 0 in a flow only that very entry is deleted. After an error about one entry the others have been tried too.
  virtual Result<std::size_t> erase(std::span<const Flow> flows) = 0;
  /// The same by their reply tuple, whatever `id` says: whoever holds a translated tuple goes.
  virtual Result<std::size_t> erase_by_reply(std::span<const Flow> flows) = 0;
  /// Puts translated flows into the kernel so that they go on here (kernel.md 3.1). One errno per flow, in order: 0, EEXIST where
  /// this or another flow holds one of the tuples, ENOMEM where the table is full. `timeout` of each flow is used as it is (> 0, at
  /// most 8,589,934 s), `status` and `id` are not used. An error of the whole: nobody knows what the kernel has of them.
  virtual Result<std::vector<int>> insert(std::span<const Flow> flows) = 0;
  /// Gives entries, known by their original tuple, the flows' `timeout`. Outcomes as above; ENOENT where there is no entry.
  virtual Result<std::vector<int>> set_timeouts(std::span<const Flow> flows) = 0;
  /// The same for flows that have closed: TCP ones get TIME_WAIT, so that `ct count` does not count them, and marks `mark_bits`.
  virtual Result<std::vector<int>> set_closed(std::span<const Flow> flows, std::uint32_t mark_bits) = 0;
  /// Gives entries, known by their original tuple, the flows' marks within `mask`. Outcomes as above.
  virtual Result<std::vector<int>> set_marks(std::span<const Flow> flows, std::uint32_t mask) = 0;
};

/// Of the network namespace of the thread that opens it; a Dump of that of the thread that asks for it.
class KernelConntrack final : public Conntrack {
 public:
  /// EPERM without CAP_NET_ADMIN.
  static Result<std::unique_ptr<KernelConntrack>> open();
  ~KernelConntrack() override;
  Result<std::unique_ptr<Dump>> dump(MarkFilter filter) override;
  Result<std::uint64_t> count() override;
  Result<std::vector<std::optional<Flow>>> find(std::span<const Flow> flows) override;
  Result<std::size_t> erase(std::span<const Flow> flows) override;
  Result<std::size_t> erase_by_reply(std::span<const Flow> flows) override;
  Result<std::vector<int>> insert(std::span<const Flow> flows) override;
  Result<std::vector<int>> set_timeouts(std::span<const Flow> flows) override;
  Result<std::vector<int>> set_closed(std::span<const Flow> flows, std::uint32_t mark_bits) override;
  Result<std::vector<int>> set_marks(std::span<const Flow> flows, std::uint32_t mask) override;

 private:
  struct Impl;
  explicit KernelConntrack(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ---- events ---------------------------------------------------------------------------------------------------

enum class EventKind : std::uint8_t { kNew, kUpdate, kDestroy };
struct Event {
  EventKind kind;
  Flow flow;
};
using EventSink = std::function<void(const Event&)>;

struct EventOptions {
  /// Only events whose mark has one of these bits pass (kernel-side classic BPF). 0: all.
  std::uint32_t mark_any = 0;
  std::size_t receive_buffer = 32U << 20;  // bytes, forced beyond rmem_max where allowed
};

/// What one `drain` did.
struct Drained {
  std::size_t events = 0;
  bool more = false;
  bool overrun = false;
};

class EventSource {
 public:
  virtual ~EventSource() = default;
  [[nodiscard]] virtual int fd() const = 0;
  /// Reads at most `budget` events without blocking. `overrun`: events were lost; resynchronise by a dump.
  virtual Result<Drained> drain(std::size_t budget, const EventSink& sink) = 0;
  /// Off: nothing comes any more, and a kernel in which nobody listens does not make the messages either, which take it as long as
  /// an insertion. What has come already can still be read. On at first.
  virtual Result<void> listen(bool on) = 0;
};

/// Subscribes to NEW, UPDATE and DESTROY with NETLINK_BROADCAST_ERROR (lost DESTROY events are sent again by the kernel, and may
/// so arrive after a new flow with the same tuple: compare `id`).
Result<std::unique_ptr<EventSource>> open_events(const EventOptions& options);

}  // namespace wsl4::netlink::conntrack
