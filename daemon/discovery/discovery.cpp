#include "daemon/discovery/discovery.h"

#include <random>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::discovery {

namespace asio = boost::asio;

/// Outlives its Discovery until the coroutine has seen that it was stopped.
class Discovery::Runner : public std::enable_shared_from_this<Runner> {
 public:
  Runner(asio::io_context& io, Source source, Families families, Observer observer, std::vector<Backend> last,
         ClientOptions options)
      : io_(io),
        source_(std::move(source)),
        families_(families),
        observer_(std::move(observer)),
        options_(std::move(options)),
        refresh_(std::move(last)),
        timer_(io) {}

  [[nodiscard]] const Refresh& refresh() const { return refresh_; }

  void start() { asio::co_spawn(io_, run(shared_from_this()), asio::detached); }

  void stop() {
    stopped_ = true;
    timer_.cancel();
    if (client_) client_->close();
  }

 private:
  static asio::awaitable<void> run(std::shared_ptr<Runner> self) {
    while (!self->stopped_) {
      Found found = co_await self->look();
      if (self->stopped_) break;
      const auto step = self->refresh_.take(std::move(found), WallClock::now(), self->chance_(self->random_));
      self->tell(step);
      if (self->stopped_) break;
      boost::system::error_code cancelled;
      auto token = asio::redirect_error(asio::use_awaitable, cancelled);
      self->timer_.expires_after(step.wait);
      co_await self->timer_.async_wait(token);
    }
  }

  asio::awaitable<Found> look() {
    Found found;
    auto client = Client::open(io_, options_);
    if (!client) {
      found.problem = client.error();
      co_return found;
    }
    client_ = std::move(*client);
    Round round(source_, families_, memory_);
    while (!round.questions().empty() && !stopped_) {
      auto asking = client_->ask(round.questions());
      const auto replies = co_await std::move(asking);
      round.take(replies);
    }
    client_.reset();
    memory_ = round.memory();
    co_return round.found();
  }

  void tell(const Refresh::Step& step) {
    // `failed` and `recovered` first, since they say why the list changed.
    if (step.turn == Refresh::Turn::kFailed) observer_.failed(refresh_.status().last_error);
    if (step.turn == Refresh::Turn::kRecovered && !stopped_) observer_.recovered();
    if (step.changed && !stopped_) observer_.changed(refresh_.backends(), refresh_.status().cut);
  }

  asio::io_context& io_;
  const Source source_;
  const Families families_;
  const Observer observer_;
  const ClientOptions options_;
  Refresh refresh_;
  Memory memory_;
  std::shared_ptr<Client> client_;  // while it looks
  asio::steady_timer timer_;
  std::mt19937 random_{std::random_device{}()};
  std::uniform_real_distribution<> chance_;
  bool stopped_ = false;
};

Discovery::Discovery(asio::io_context& io, Source source, Families families, Observer observer, std::vector<Backend> last,
                     ClientOptions options)
    : runner_(std::make_shared<Runner>(io, std::move(source), families, std::move(observer), std::move(last), std::move(options))) {
  runner_->start();
}

Discovery::~Discovery() { runner_->stop(); }

const std::vector<Backend>& Discovery::backends() const { return runner_->refresh().backends(); }
const Status& Discovery::status() const { return runner_->refresh().status(); }

}  // namespace wsl4::discovery
