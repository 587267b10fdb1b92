// Two nodes of a pair on a simulated network: adverts with loss, delay and reordering, one-way cuts; a sync session that stands, is
// cut, times out and comes back; nodes that sleep, restart, lose carrier. Everything from one seed.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "daemon/election/role.h"

namespace wsl4::sim {

using election::TimePoint;
using std::chrono::milliseconds;

class World {
 public:
  struct Shape {
    bool preempt = false;
    std::array<int, 2> priority{100, 100};
    milliseconds interval{100};
    bool external = false;
  };

  World(const Shape& shape, std::uint64_t seed);

  /// Goes on for so long. False as soon as something is wrong: see `problem`.
  bool run(milliseconds span);
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] milliseconds now() const { return std::chrono::duration_cast<milliseconds>(now_ - TimePoint{}); }

  // ---- what can go wrong, and be mended
  void set_loss(double loss) { loss_ = loss; }
  void cut_adverts(int from, bool cut) { adverts_cut_.at(index(from)) = cut; }
  void cut_session(bool cut);
  void doze(int node, milliseconds span) { at(node).asleep_until = now_ + span; }
  void crash(int node, milliseconds for_how_long);
  void carrier(int node, bool up);
  void healthy(int node, bool healthy);
  bool failover(int node, bool force);
  bool promote(int node);
  void stop(int node);
  void start(int node);
  void mend_all();

  // ---- what is seen
  [[nodiscard]] bool running(int node) const { return nodes_.at(index(node)).machine.has_value(); }
  [[nodiscard]] election::Role role(int node) const;
  [[nodiscard]] bool has_addresses(int node) const { return nodes_.at(index(node)).addresses; }
  [[nodiscard]] bool synced(int node) const { return nodes_.at(index(node)).session.synced; }
  [[nodiscard]] int actives() const;
  /// How often it was told that the other active has stepped down.
  [[nodiscard]] int kept(int node) const { return nodes_.at(index(node)).kept; }
  [[nodiscard]] int changes() const { return changes_; }
  /// Neighbours send to this node, and so does whatever its hook has moved; as far as the other one has not just vanished with
  /// that.
  [[nodiscard]] bool is_led_to(int node) const {
    return nodes_.at(index(node)).announced >= nodes_.at(index(other(node))).announced &&
           (!hook_moved_to_ || hook_moved_to_ == node);
  }

 private:
  struct Advert {
    std::uint8_t priority;
  };
  struct Connection {
    bool up;
    bool owns = false;  // whoever is at the other end
  };
  struct Word {
    election::PeerState state;
    bool owns;
  };
  struct Synced {};
  struct StepDone {
    election::Step step;
  };
  using Content = std::variant<Advert, Word, Connection, Synced, StepDone>;
  struct Event {
    int node;               // where it arrives
    std::uint64_t context;  // the connection or the life that it belongs to
    Content content;
  };
  struct Node {
    std::optional<election::RoleMachine> machine;
    std::uint64_t life = 0;
    TimePoint asleep_until, restart_at, tell_at;
    std::deque<Event> inbox;  // while asleep
    bool addresses = false, carrier = true, healthy = true, restarts = false;
    bool unseen = false;                                    // carrier or health, by the node itself
    std::optional<election::Cause> taken_by, addresses_by;  // the active role, and when the addresses came
    election::SessionState session;
    std::uint64_t connection = 0;  // 0: none
    std::optional<TimePoint> last_advert, last_word, last_read_word;
    election::Role told = election::Role::kInit;  // of the other one, by that word
    TimePoint last_bytes;
    std::uint64_t flows = 0;
    int kept = 0;
    bool owns = false;  // flows that its session sends: as an active, and after it until the peer has them
    TimePoint announced;
  };

  static netlink::IpAddress address_of(int node);
  static std::size_t index(int node) { return static_cast<std::size_t>(node); }
  Node& at(int node) { return nodes_.at(index(node)); }
  static int other(int node) { return 1 - node; }
  milliseconds between(int low, int high) { return milliseconds(std::uniform_int_distribution<int>(low, high)(random_)); }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }

  [[nodiscard]] bool awake(int node) const { return running(node) && now_ >= nodes_.at(index(node)).asleep_until; }
  [[nodiscard]] std::optional<TimePoint> next_time() const;
  void post(TimePoint when, int node, std::uint64_t context, Content content) {
    events_.emplace(when, Event{node, context, content});
  }
  void arrive(const Event& event);
  void note_arrival(const Event& event);
  void handle(const Event& event);
  void wake(int node);
  void look_around(int node);
  void tick_node(int node);
  void obey(int node);
  void obey(int node, const election::Action& action);
  void obey_step(int node, election::Step step);
  void note_role(int node, const election::Action& action);
  void vanish(int node);
  void note_stop(int node);
  void say(int node);
  void say_advert(int node, std::uint8_t priority);
  void mind_session();
  void disconnect(int node);
  /// Why the role is taken with no peer in sight.
  [[nodiscard]] election::Cause alone() const { return shape_.external ? election::Cause::kPromoted : election::Cause::kSilence; }
  void check();
  void fail(const std::string& what);

  Shape shape_;
  std::mt19937_64 random_;
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
  std::array<Node, 2> nodes_;
  std::multimap<TimePoint, Event> events_;
  double loss_ = 0, spikes_ = 0.02;  // shares of what is lost, and of what takes long
  std::array<bool, 2> adverts_cut_{};
  bool session_cut_ = false;
  std::array<TimePoint, 2> last_delivery_;  // of the session, by receiver: it keeps the order
  std::vector<Event> held_;                 // by a cut
  std::uint64_t last_connection_ = 0;
  std::optional<TimePoint> connect_at_;
  std::optional<TimePoint> two_since_, none_since_;
  int changes_ = 0;
  std::optional<int> hook_moved_to_;
  std::string problem_;
};

}  // namespace wsl4::sim
