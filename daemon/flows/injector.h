// Puts flows into this kernel's connection tracking, and takes them out, in slices that leave the kernel thread time for others.
// What it is given is applied in order; within one batch first what goes, then timers, then what comes.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/flows/client_limits.h"
#include "daemon/service/desired_state.h"
#include "netlink/conntrack/conntrack.h"

namespace wsl4::flows {

class Injector {
 public:
  /// Changes that wait; a standby's session has at most as many under way.
  static constexpr std::size_t kMaxWaiting = 65536;
  /// How many go to the kernel at once: more gain nothing (kernel.md 3.3), and take more than a millisecond.
  static constexpr std::size_t kPiece = 256;

  struct Change {
    enum class Kind : std::uint8_t {
      kPut,    // the kernel shall have the flow just so. Who holds one of its tuples makes room: an older state of the flow, or one
               // whose end was missed. `timeout` counts until the first packet here; `id` and `status` do not matter
      kErase,  // by the original tuple; no error if it is gone
      kShorten  // the entry gets `timeout` anew, by the original tuple, and is one of a flow that has closed: else a look at the
                // table, and `ct count`, would take it for a connection that lives. A kPut where there is none
    };
    Kind kind = Kind::kPut;
    netlink::conntrack::Flow flow;
  };
  struct Refused {
    netlink::conntrack::Flow flow;
    int error = 0;  // errno: ENOMEM table full, ENOSPC hash chain too long, EEXIST see spare_present
  };
  struct Done {
    std::uint64_t number = 0;
    bool known = true;             // false: nobody knows what the kernel has of this batch (answers were lost)
    std::vector<Refused> refused;  // all others have been applied
  };
  /// Called for each entry that has come or has closed, and for each that is not there any more, of those given here.
  struct Told {
    std::function<void(const netlink::conntrack::Flow&)> put, erased;
  };
  struct Stats {
    std::uint64_t inserted = 0, erased = 0, shortened = 0;
    std::uint64_t clashes = 0;  // puts for which something else had to make room
    std::uint64_t refused = 0;  // see Refused
    std::uint64_t unknown = 0;  // batches
  };

  /// `on_done` is called once for each batch, in order, on the io_context's thread. `slice`: for so long at a time it works.
  Injector(boost::asio::io_context& io, netlink::conntrack::Conntrack& conntrack, ClientLimits& limits, service::MarkLayout mark,
           std::function<void(Done)> on_done, std::chrono::milliseconds slice = std::chrono::milliseconds{10})
      : io_(io), conntrack_(conntrack), limits_(limits), mark_(mark), on_done_(std::move(on_done)), slice_(slice) {}

  void tell(Told told) { told_ = std::move(told); }
  /// True: a kPut whose tuples somebody holds is refused (EEXIST). For a node that serves: its own flows live.
  void spare_present(bool spare) { spares_ = spare; }

  /// Takes a batch of changes of different flows. False: it would be more than kMaxWaiting, and nothing was taken.
  [[nodiscard]] bool submit(std::uint64_t number, std::vector<Change> changes);
  [[nodiscard]] std::size_t waiting() const { return waiting_; }  // changes
  [[nodiscard]] const Stats& stats() const { return stats_; }

 private:
  struct Batch {
    std::vector<Change> changes;
    std::size_t next = 0;
    Done done;
  };
  void schedule();
  void work();
  void work_on(Batch& batch);
  [[nodiscard]] netlink::Result<void> apply(std::span<const Change> changes, std::vector<Refused>& refused);
  [[nodiscard]] netlink::Result<std::vector<int>> insert(std::span<const netlink::conntrack::Flow> flows);
  [[nodiscard]] netlink::Result<void> put(std::span<const netlink::conntrack::Flow> flows, std::vector<Refused>& refused);
  [[nodiscard]] netlink::Result<void> make_room(std::span<const netlink::conntrack::Flow> flows, std::vector<Refused>& refused);
  [[nodiscard]] netlink::Result<std::vector<netlink::conntrack::Flow>> shorten(std::span<const netlink::conntrack::Flow> flows);
  void inserted(const netlink::conntrack::Flow& flow);
  void refuse(std::vector<Refused>& refused, const netlink::conntrack::Flow& flow, int error);

  boost::asio::io_context& io_;
  netlink::conntrack::Conntrack& conntrack_;
  ClientLimits& limits_;
  const service::MarkLayout mark_;
  std::function<void(Done)> on_done_;
  std::chrono::milliseconds slice_;
  std::deque<Batch> batches_;
  std::size_t waiting_ = 0;
  bool scheduled_ = false, spares_ = false;
  Stats stats_;
  Told told_;
};

}  // namespace wsl4::flows
