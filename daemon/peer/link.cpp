#include "daemon/peer/link.h"

#include <openssl/rand.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/peer/backoff.h"
#include "daemon/peer/refusal_pace.h"
#include "daemon/peer/socket.h"
#include "daemon/util/to_asio.h"

namespace wsl4::peer {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};  // after a failed accept (no descriptors left), so that it does not spin
constexpr std::chrono::seconds kSteady{5};              // a connection that lived so long was no mistake

}  // namespace

class Link::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::io_context& io, LinkOptions options, std::shared_ptr<Tls> tls, Session& session, tcp::acceptor acceptor)
      : io_(io),
        options_(std::move(options)),
        tls_(std::move(tls)),
        session_(session),
        acceptor_(std::move(acceptor)),
        accept_pause_(io),
        retry_(io),
        connecting_(io),
        backoff_(options_.first_retry, options_.last_retry) {}

  [[nodiscard]] bool draw_instance() { return ::RAND_bytes(own_.data(), static_cast<int>(own_.size())) == 1; }
  static asio::awaitable<void> accept(std::shared_ptr<State> self);
  static asio::awaitable<void> connect(std::shared_ptr<State> self);

  void wake() {
    if (current_) current_->connection->wake();
  }
  void finish(std::string reason) {
    if (current_) current_->connection->finish(std::move(reason));
  }
  void retire();
  void stop();
  void use(std::shared_ptr<Tls> tls) { tls_ = std::move(tls); }
  [[nodiscard]] LinkStats stats() const {
    LinkStats stats = stats_;
    stats.connected = current_.has_value();
    return stats;
  }

 private:
  struct Current {
    std::shared_ptr<Connection> connection;
    Standing standing;
    Clock::time_point since;
  };

  void admit(tcp::socket socket, const tcp::endpoint& from);
  static asio::awaitable<void> prove(std::shared_ptr<State> self, std::shared_ptr<Connection> connection);
  asio::awaitable<std::optional<tcp::socket>> open_connection();
  asio::awaitable<void> wait(Clock::time_point until);
  void note_failure(OpenedBy opened_by, Refusal why);
  void judge(const std::shared_ptr<Connection>& connection, const Instance& peer);
  void on_end(const Connection* connection, const std::string& reason, bool tampered);
  void refuse(Refusal why) {
    ++stats_.refusals.at(static_cast<std::size_t>(why));
    if (options_.on_refused && pace_.is_due(why, Clock::now())) options_.on_refused(why);
  }

  asio::io_context& io_;
  const LinkOptions options_;
  std::shared_ptr<Tls> tls_;
  Session& session_;
  tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_, retry_;
  tcp::socket connecting_;
  Backoff backoff_;
  std::minstd_rand random_{std::random_device{}()};
  RefusalPace pace_;
  Instance own_{};
  std::deque<std::shared_ptr<Connection>> half_open_;  // that came to us, the oldest first
  std::shared_ptr<Connection> outgoing_;               // half-open too
  std::optional<Current> current_;
  LinkStats stats_;
  bool retired_ = false;
};

// ---- connections that come ------------------------------------------------------------------------------------

asio::awaitable<void> Link::State::accept(std::shared_ptr<State> self) {
  while (!self->retired_) {
    tcp::socket socket(self->io_);
    tcp::endpoint from;
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await self->acceptor_.async_accept(socket, from, token);
    if (!error) {
      self->admit(std::move(socket), from);
    } else if (!self->retired_) {
      self->accept_pause_.expires_after(kAcceptPause);
      co_await self->accept_pause_.async_wait(token);
    }
  }
}

void Link::State::admit(tcp::socket socket, const tcp::endpoint& from) {
  if (retired_) return;
  if (from.address() != util::to_asio(options_.peer).address()) return refuse(Refusal::kStranger);
  if (half_open_.size() >= options_.half_open) {
    half_open_.front()->abandon(Refusal::kTooMany);
    half_open_.pop_front();
  }
  half_open_.push_back(std::make_shared<Connection>(std::move(socket), tls_, OpenedBy::kPeer));
  asio::co_spawn(io_, prove(shared_from_this(), half_open_.back()), asio::detached);
}

asio::awaitable<void> Link::State::prove(std::shared_ptr<State> self, std::shared_ptr<Connection> connection) {
  const auto peer = co_await connection->establish(self->own_, self->options_.proof_time);
  std::erase(self->half_open_, connection);
  if (self->retired_) {
    connection->close("");
  } else if (peer) {
    self->judge(connection, *peer);
  } else {
    connection->close("");
    self->refuse(peer.error());
    self->note_failure(connection->opened_by(), peer.error());
  }
}

/// Of those that are closed at once, one that came says little: between two sound nodes some are.
void Link::State::note_failure(OpenedBy opened_by, Refusal why) {
  if (why == Refusal::kClosed && opened_by == OpenedBy::kUs) {
    stats_.error = "the other end closes this node's connections: its ha.peer is another address, most likely";
  } else if (why != Refusal::kClosed && why != Refusal::kTooMany) {
    stats_.error = describe(why);
  }
}

// ---- connections that we open ---------------------------------------------------------------------------------

asio::awaitable<void> Link::State::connect(std::shared_ptr<State> self) {
  while (!self->retired_) {
    if (self->current_) {
      co_await self->wait(Clock::time_point::max());
    } else if (auto socket = co_await self->open_connection(); socket && !self->retired_) {
      self->outgoing_ = std::make_shared<Connection>(std::move(*socket), self->tls_, OpenedBy::kUs);
      co_await prove(self, self->outgoing_);
      self->outgoing_.reset();
    }
    if (self->retired_ || self->current_) continue;
    const auto delay = self->backoff_.next(std::uniform_real_distribution<>()(self->random_));
    co_await self->wait(Clock::now() + delay);
  }
}

asio::awaitable<std::optional<tcp::socket>> Link::State::open_connection() {
  error_code error;
  connecting_ = open_from(io_, options_.listen.address, error);
  if (!error) {
    retry_.expires_after(options_.proof_time);
    retry_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      error_code ignored;
      if (!cancelled) self->connecting_.close(ignored);
    });
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await connecting_.async_connect(util::to_asio(options_.peer), token);
    retry_.cancel();
  }
  if (!error && connecting_.is_open()) co_return std::move(connecting_);
  ++stats_.connect_failures;
  stats_.error = error == asio::error::operation_aborted ? "nothing answers there" : error.message();
  co_return std::nullopt;
}

asio::awaitable<void> Link::State::wait(Clock::time_point until) {
  retry_.expires_at(until);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await retry_.async_wait(token);
}

// ---- the one that is kept -------------------------------------------------------------------------------------

void Link::State::judge(const std::shared_ptr<Connection>& connection, const Instance& peer) {
  const Standing standing{connection->opened_by(), peer};
  if (current_ && !replaces(standing, current_->standing, own_)) {
    connection->close("");
    return refuse(Refusal::kDuplicate);
  }
  if (current_) current_->connection->close("another connection has taken its place");
  current_ = Current{connection, standing, Clock::now()};
  ++stats_.connections;
  auto on_end = [this, connection = connection.get()](const std::string& reason, bool tampered) {
    this->on_end(connection, reason, tampered);
  };
  connection->begin(session_, stats_.traffic, std::move(on_end), options_.records_per_key);
}

void Link::State::on_end(const Connection* connection, const std::string& reason, bool tampered) {
  if (tampered) refuse(Refusal::kTampered);
  if (!current_ || current_->connection.get() != connection) return;
  if (Clock::now() - current_->since > kSteady) backoff_.reset();
  current_.reset();
  stats_.error = reason;
  session_.on_disconnected(reason);
  if (retry_.expiry() == Clock::time_point::max()) retry_.cancel();  // `connect` waits for this
}

void Link::State::retire() {
  if (std::exchange(retired_, true)) return;
  error_code ignored;
  acceptor_.close(ignored);
  connecting_.close(ignored);
  accept_pause_.cancel();
  retry_.cancel();
  for (const auto& connection : half_open_) connection->abandon(Refusal::kClosed);
  if (outgoing_) outgoing_->abandon(Refusal::kClosed);
}

void Link::State::stop() {
  retire();
  if (current_) current_->connection->close("this node has stopped");
}

// ---------------------------------------------------------------------------------------------------------------

Link::Link(std::shared_ptr<State> state) : state_(std::move(state)) {}
Link::~Link() { stop(); }

tl::expected<std::unique_ptr<Link>, std::string> Link::start(asio::io_context& io, LinkOptions options, Keys keys,
                                                             Session& session) {
  auto tls = Tls::make(std::move(keys));
  if (!tls) return tl::make_unexpected(std::move(tls.error()));
  auto acceptor = listen(io, options.listen);
  if (!acceptor) return tl::make_unexpected(std::move(acceptor.error()));
  auto state = std::make_shared<State>(io, std::move(options), std::move(*tls), session, std::move(*acceptor));
  if (!state->draw_instance()) return tl::make_unexpected(std::string("the system has no random bytes"));
  asio::co_spawn(io, State::accept(state), asio::detached);
  asio::co_spawn(io, State::connect(state), asio::detached);
  return std::unique_ptr<Link>(new Link(std::move(state)));
}

void Link::wake() { state_->wake(); }
void Link::finish(std::string reason) { state_->finish(std::move(reason)); }
void Link::retire() { state_->retire(); }
void Link::stop() { state_->stop(); }
LinkStats Link::stats() const { return state_->stats(); }

tl::expected<void, std::string> Link::set_keys(Keys keys) {
  auto tls = Tls::make(std::move(keys));
  if (!tls) return tl::make_unexpected(std::move(tls.error()));
  state_->use(std::move(*tls));
  return {};
}

}  // namespace wsl4::peer
