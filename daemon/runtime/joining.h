// Backends that join by themselves: nodes that register, and what DNS knows. Lays them into the configuration (service/joined.h),
// lets registrations lapse, asks DNS again, and keeps all of it over restarts in `joined.json`. Control thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "daemon/config/config.h"
#include "daemon/control/node.h"
#include "daemon/control/register_server.h"
#include "daemon/discovery/discovery.h"
#include "daemon/runtime/event_log.h"
#include "daemon/runtime/joined_view.h"
#include "daemon/service/joined.h"
#include "daemon/util/async_lock.h"
#include "daemon/util/file_writer.h"

namespace wsl4::runtime {

class Joining final : public control::Joiner {
 public:
  struct Hooks {
    /// Goes over to this configuration, which takes the file's place. Called with the lock held.
    std::function<boost::asio::awaitable<control::Outcome<bool>>(config::Config base)> apply;
    /// The service as it is in effect, changes at run time too; it is in the file.
    std::function<const config::Service&(const std::string& service)> effective;
    /// Why this node takes no changes: it follows another one. Then leases do not lapse here either.
    std::function<std::optional<control::Refusal>()> obstacle;
    /// What is stored is another text now.
    std::function<void(const std::string& text)> on_stored;
  };
  /// `changing`: the lock of whoever changes what is in effect. All of it outlives this object.
  Joining(boost::asio::io_context& io, util::AsyncLock& changing, EventLog& events, util::FileWriter& files, Hooks hooks);

  /// At the start, before anything is applied: what was stored in `directory`, laid into `file`. The error names the file.
  [[nodiscard]] tl::expected<config::Config, std::string> open(config::Config file, const std::string& directory);
  using Listener = control::RegisterServer::Next;
  /// When traffic flows: listens (see prepare), and asks DNS.
  void start(Listener listener);
  void stop();

  // A reload: prepare, lay, have it applied, accept.
  [[nodiscard]] tl::expected<Listener, std::vector<std::string>> prepare(const config::Config& file);
  [[nodiscard]] service::Joined lay(const config::Config& file) const { return lay_joined(file, leases_, discovered_); }
  void accept(config::Config file, const service::Joined& joined, Listener listener);

  /// Once in a while, with the lock held: leases lapse, what could not be applied is tried again.
  boost::asio::awaitable<void> tend();

  /// What the active has stored takes the place of this node's leases; what DNS says here stays. With the lock held. The error says
  /// why it is not in effect.
  boost::asio::awaitable<tl::expected<void, std::string>> follow(std::string text);
  /// What is stored.
  [[nodiscard]] std::string text() const;

  /// The configuration without them.
  [[nodiscard]] const config::Config& file() const { return file_; }
  /// For status.
  [[nodiscard]] JoinedView view() const;
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// Those of them that a reload can tell of.
  [[nodiscard]] std::vector<std::string> strangers() const { return tokens().strangers(file_); }

  [[nodiscard]] const control::Tokens& tokens() const override { return listener_.tokens(); }
  boost::asio::awaitable<control::Outcome<control::Joined>> join(std::string service, std::string backend,
                                                                 service::Registration registration) override;
  boost::asio::awaitable<control::Outcome<void>> leave(std::string service, std::string backend) override;

 private:
  /// A service that is looked up, and how.
  struct Lookup {
    std::string setting;
    discovery::Families families;
    std::unique_ptr<discovery::Discovery> discovery;
  };

  [[nodiscard]] std::optional<control::Refusal> obstacle(const service::Leases::Key& key,
                                                         const service::Registration& registration) const;
  // Need the lock held.
  boost::asio::awaitable<control::Outcome<bool>> go_over(service::Leases leases, bool stored = false);
  boost::asio::awaitable<control::Outcome<bool>> store_and_go_over(service::Leases leases);
  boost::asio::awaitable<void> lapse();
  boost::asio::awaitable<void> follow_dns();
  void take(service::Joined joined);
  void look_up();
  void look_up(const config::Service& service);
  [[nodiscard]] discovery::Observer observe(const std::string& service);
  void found(const std::string& service, const std::vector<discovery::Backend>& backends, std::size_t cut);
  void save();

  boost::asio::io_context& io_;
  util::AsyncLock& changing_;
  EventLog& events_;
  util::FileWriter& files_;
  const Hooks hooks_;
  config::Config file_;
  std::string path_;
  service::Leases leases_;
  service::Discovered discovered_;
  service::Origins origins_;               // of what is in effect
  std::vector<std::string> left_out_;      // as of then
  std::map<std::string, Lookup> lookups_;  // by service
  bool found_more_ = false;                // lists have changed that may not be in effect yet
  bool following_ = false;
  bool unsaved_ = false;   // renewals
  bool stood_by_ = false;  // followed another node at the last look
  std::chrono::steady_clock::time_point saved_;
  control::RegisterServer listener_;
};

}  // namespace wsl4::runtime
