// VIPs and pool addresses on the interfaces.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/runtime/app.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

void App::place_addresses(const std::set<netlink::IpAddress>& idle) {
  if (pair_) return pair_->set_addresses(pair::moving_addresses(*wanted_.file), idle);
  if (!wanted_.file->addresses.manage) return;
  addresses_placed(addresses_->reconcile(wanted_addresses_, idle));
  if (addresses_->busy() && !std::exchange(placing_, true)) asio::co_spawn(io_, place_rest(), asio::detached);
}

/// Piece by piece, so that everything else on this thread has its turn between them.
asio::awaitable<void> App::place_rest() {
  while (addresses_->busy()) {
    co_await asio::post(io_, asio::use_awaitable);
    addresses_placed(addresses_->go_on());
  }
  placing_ = false;
}

void App::addresses_placed(const std::optional<addresses::Reconciled>& result) {
  if (!result) return;
  const auto on_event = [this](std::string name, std::string detail) { events_.add(std::move(name), std::move(detail)); };
  addresses::tell(*result, on_event, address_problems_);
}

}  // namespace wsl4::runtime
