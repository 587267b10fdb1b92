// The daemon: brings one node up, answers the control API, reloads, and leaves the kernel forwarding when it ends. Everything here
// runs on the control thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tl/expected.hpp>

#include "daemon/addresses/lasting.h"
#include "daemon/addresses/mover.h"
#include "daemon/config/config.h"
#include "daemon/control/node.h"
#include "daemon/control/server.h"
#include "daemon/host/host.h"
#include "daemon/pair/hook.h"
#include "daemon/pair/pair.h"
#include "daemon/pair/pair_file.h"
#include "daemon/pair/sharing.h"
#include "daemon/runtime/event_log.h"
#include "daemon/runtime/health_watch.h"
#include "daemon/runtime/joining.h"
#include "daemon/runtime/kernel_worker.h"
#include "daemon/runtime/named_files.h"
#include "daemon/runtime/picks.h"
#include "daemon/runtime/state_store.h"
#include "daemon/service/assembler.h"
#include "daemon/util/async_lock.h"
#include "daemon/util/file_writer.h"

namespace wsl4::runtime {

class App final : public control::Node {
 public:
  App(std::string config_path, config::Config config);
  ~App() override;

  /// Everything up to the point where traffic flows. The error is one line that says what stands in the way; what was there before
  /// is as it was, but for a table that was built in part (a later start adopts it).
  [[nodiscard]] tl::expected<void, std::string> start();
  /// Until SIGTERM or SIGINT.
  void run();

  boost::asio::awaitable<control::Outcome<control::Status>> status() override;
  boost::asio::awaitable<control::Outcome<control::ReloadReport>> reload(bool dry_run) override;
  boost::asio::awaitable<control::Outcome<std::vector<control::FlowView>>> flows(control::FlowQuery query) override;
  boost::asio::awaitable<control::Outcome<std::vector<control::NodeEvent>>> events(std::uint64_t after,
                                                                                   std::chrono::milliseconds wait) override;
  boost::asio::awaitable<control::Outcome<control::ChangeReport>> change_backend(std::string service, std::string backend,
                                                                                 service::BackendChange change) override;
  boost::asio::awaitable<control::Outcome<control::PickedBackend>> pick(std::string service) override;
  boost::asio::awaitable<control::Outcome<control::RebalanceReport>> rebalance(std::string service, std::uint32_t rate) override;
  boost::asio::awaitable<control::Outcome<std::string>> failover(bool force) override;
  boost::asio::awaitable<control::Outcome<std::string>> set_role(bool active) override;
  [[nodiscard]] bool alive() const override;
  [[nodiscard]] bool ready() const override { return ready_; }

 private:
  [[nodiscard]] tl::expected<void, std::string> open_state();
  [[nodiscard]] tl::expected<void, std::string> open_addresses();
  using Sysctls = std::map<std::string, std::string>;
  // Return the old values of what they changed, which are noted first where storage takes them. The first one waits for it, for the
  // start.
  Sysctls set_sysctls(const config::Config& config);
  boost::asio::awaitable<Sysctls> change_sysctls(const config::Config& config);
  boost::asio::awaitable<void> restore_sysctls(const Sysctls& old_values);
  [[nodiscard]] State noting(const Sysctls& wanted) const;
  Sysctls write_sysctls(const Sysctls& wanted, State noted);
  [[nodiscard]] tl::expected<void, std::string> adopt_and_apply();
  [[nodiscard]] tl::expected<void, std::string> settle_mask();
  /// The file with the backends that joined, and what was changed at run time; what lies over both (health, newcomers) is taken as
  /// it is then.
  struct Wanted {
    std::shared_ptr<const config::Config> file;
    service::Overlay overlay;
  };
  using Names = std::set<std::string>;  // of services
  [[nodiscard]] tl::expected<service::Assembler::Draft, std::string> draft(const Wanted& wanted, const Names& touched) const;
  void accept(Wanted wanted, service::Assembler::Draft draft);
  /// The services for which another file can make a difference.
  [[nodiscard]] Names touched_by(const config::Config& next) const;
  // Need `changing_` held.
  /// `touched`: services whose part of `wanted` is another one.
  boost::asio::awaitable<control::Outcome<bool>> apply_new(Wanted wanted, Names touched);
  boost::asio::awaitable<control::Outcome<bool>> apply_again();
  boost::asio::awaitable<control::Outcome<bool>> apply_joined(config::Config base);
  boost::asio::awaitable<control::Outcome<std::string>> preview_new(std::shared_ptr<const config::Config> next);
  /// apply_new, and the overlay forgets what need not be remembered under that file.
  boost::asio::awaitable<control::Outcome<bool>> apply_settled(std::shared_ptr<const config::Config> file, Names touched);
  void start_health();
  void watch_health(Names services);
  void watch_all();
  void health_changed(const health::Status& status);
  boost::asio::awaitable<void> follow_health();
  /// Flows to be ended as soon as the verdict is in effect.
  struct DueEnding {
    Ending ending;
    service::BackendId id = 0;
    std::string name;  // the backend's
    flows::FlowEnder::Tell tell = flows::FlowEnder::Tell::kBothEnds;
  };
  [[nodiscard]] std::vector<DueEnding> take_endings();
  boost::asio::awaitable<void> suspect();
  /// So many ports of a pair are held at least where it is tight.
  [[nodiscard]] std::uint64_t fewest_tight() const;
  void note_tight(const std::vector<flows::PortUse>& uses);
  [[nodiscard]] tl::expected<void, std::string> load_overlay();
  /// One that is to be in effect, and shared once it is; after an error the one that is is kept.
  boost::asio::awaitable<tl::expected<void, std::string>> store_overlay(const service::Overlay& overlay);
  void keep_overlay();
  [[nodiscard]] std::string overlay_path() const;
  boost::asio::awaitable<control::Outcome<control::ReloadReport>> load_again(bool dry_run);
  [[nodiscard]] std::uint64_t sysctl_number(const std::string& name) const;
  boost::asio::awaitable<void> reload_on_signal();
  boost::asio::awaitable<void> finish();
  boost::asio::awaitable<void> tend();
  boost::asio::awaitable<void> drop_drained();
  /// What another file is to change on the machine.
  void foresee(const config::Config& next, control::ReloadReport& report) const;
  void place_addresses(std::set<netlink::IpAddress> idle);
  [[nodiscard]] addresses::MovingAddresses moving_addresses() const;
  // Of a pair's node (app_pair.cpp):
  [[nodiscard]] tl::expected<void, std::string> open_pair(KernelCallbacks& callbacks);
  [[nodiscard]] tl::expected<void, std::string> begin_pair();
  void role_changed(election::Role role, election::Cause cause);
  boost::asio::awaitable<void> follow_role();
  void note_peer_synced(bool synced);
  boost::asio::awaitable<void> learn_backend(flows::BackendNumbers::Place place);
  [[nodiscard]] tl::expected<void, std::string> learn_gone(const flows::BackendNumbers::Place& place);
  void tell_gone();
  void save_pair_state();
  void keep_rest(bool resting);
  void keep_promotion(bool promoted, bool said_again = false);
  [[nodiscard]] std::optional<std::chrono::milliseconds> promoted_ago() const;
  [[nodiscard]] static std::int64_t clock_milliseconds();
  void role_kept();
  void run_hook();
  void share(pair::Document kind, std::string_view text);
  void share_overlay(const std::string& text);
  void share_all();
  boost::asio::awaitable<void> follow_peer(pair::WholeDocument document);
  boost::asio::awaitable<void> follow_again();
  boost::asio::awaitable<tl::expected<void, std::string>> follow(const pair::WholeDocument& document);
  boost::asio::awaitable<tl::expected<void, std::string>> follow_overlay(std::string text, bool from_active);
  void tell_dropped(std::string_view what, const std::vector<std::string>& backends);
  boost::asio::awaitable<tl::expected<void, std::string>> follow_verdicts(std::string text);
  boost::asio::awaitable<void> age_verdicts();
  /// Why changes are for the peer, if they are.
  [[nodiscard]] std::optional<control::Refusal> refusal_of_follower() const;
  void reload_pair(const config::Config& file, peer::Keys keys);
  boost::asio::awaitable<void> add_pair(control::Status& status);
  /// Looks every few milliseconds.
  boost::asio::awaitable<bool> comes_true(std::function<bool()> condition, std::chrono::milliseconds limit);
  boost::asio::awaitable<bool> comes_to(election::Role role);
  boost::asio::awaitable<bool> peer_takes_role();
  boost::asio::awaitable<void> leave_pair();
  [[nodiscard]] bool is_active() const { return !pair_ || role_ == election::Role::kActive; }
  void watch_signals();
  void feed_watchdog();
  void keep_newcomers();
  void watch_sysctls();
  /// With what was changed at run time; a service of that name is in `wanted_.file`.
  [[nodiscard]] const config::Service& in_effect(const std::string& service) const;
  [[nodiscard]] std::chrono::seconds established_timeout() const;
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// A sentence for each change at run time without effect.
  [[nodiscard]] std::vector<std::string> dormant() const;

  const std::string config_path_;
  Wanted wanted_;
  std::vector<std::string> awaits_restart_;  // settings that the file has changed
  NamedFiles named_files_;                   // as they are in use
  const host::KernelFeatures features_;
  const std::chrono::steady_clock::time_point started_at_ = std::chrono::steady_clock::now();
  boost::asio::io_context io_{1};
  std::unique_ptr<host::Sysctls> sysctls_ = host::kernel_sysctls();
  netlink::Fd state_lock_;
  StateStore store_;
  State state_;
  EventLog events_{io_};
  util::FileWriter files_{io_, [this](std::string problem) { events_.add("state-not-saved", std::move(problem)); }};
  // Of a single node; a pair's move with the role (pair/role_runner.h).
  std::unique_ptr<netlink::rtnl::Rtnl> rtnl_;
  std::unique_ptr<netlink::rtnl::Announcer> announcer_;
  std::optional<addresses::Mover> addresses_;
  addresses::LastingAddresses lasting_addresses_;  // of a pair's node
  service::Assembler assembler_;
  Names touched_;                     // services whose health or drains have changed since they were assembled
  std::unique_ptr<pair::Pair> pair_;  // none of a single node; outlives the kernel's thread
  std::unique_ptr<pair::PairFile> pair_file_;
  std::optional<pair::Sharing> sharing_;
  pair::HookRunner hooks_{
      io_, [this](const pair::Hook& hook, const std::string& what) { events_.add("hook-failed", hook.program + " " + what); }};
  pair::PairState pair_state_;
  election::Role role_ = election::Role::kInit;
  control::WallClock::time_point role_since_ = control::WallClock::now();
  bool left_pair_ = false;
  int verdicts_age_ = 0;                                      // of the active's, in tendings since it was there
  std::vector<std::string> changed_apart_;                    // backends, on both nodes, of which the peer has to give way
  std::map<pair::Document, pair::WholeDocument> unfollowed_;  // the peer's last ones, where they could not be brought into effect
  std::set<flows::BackendNumbers::Place> learning_;
  std::map<flows::BackendNumbers::Place, service::BackendId> gone_;  // of the peer's flows to where no service listens here
  std::unique_ptr<KernelWorker> kernel_;
  std::unique_ptr<HealthWatch> health_;
  std::set<std::pair<netlink::IpAddress, netlink::Endpoint>> tight_;  // pairs of pool address and backend with hardly a free port
  bool following_health_ = false;
  health::Suspicion suspicion_;
  std::chrono::steady_clock::time_point next_suspicion_;
  control::WallClock::time_point tended_at_;
  Picks picks_;
  std::unique_ptr<control::Server> server_;
  boost::asio::signal_set signals_{io_};
  boost::asio::steady_timer tend_timer_{io_}, watchdog_timer_{io_};
  std::vector<std::string> sysctl_problems_;
  bool ready_ = false;
  util::AsyncLock changing_{io_};  // held by whoever changes wanted_, assembler_ and the kernel
  util::AsyncLock listing_{io_};   // held by who reads the table of all flows for a request
  Joining joining_{
      io_,
      changing_,
      events_,
      files_,
      {[this](config::Config base) { return apply_joined(std::move(base)); },
       [this](const std::string& service) -> const config::Service& { return in_effect(service); },
       [this] { return refusal_of_follower(); }, [this](const std::string& text) { share(pair::Document::kJoined, text); }}};
};

}  // namespace wsl4::runtime
