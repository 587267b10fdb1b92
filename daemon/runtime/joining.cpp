#include "daemon/runtime/joining.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "daemon/service/joined_json.h"
#include "daemon/service/layers.h"
#include "daemon/util/file.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;
using control::Outcome;
using control::Refusal;
using service::Leases;

namespace {

/// A renewal that changes nothing is stored with the next ones. What a crash loses of it is less than the leases' grace at a start.
constexpr std::chrono::seconds kSaveInterval{5};
static_assert(kSaveInterval < Leases::kGrace);

Leases::Moment now() { return {control::WallClock::now(), std::chrono::steady_clock::now()}; }

std::string describe(const service::Registration& registration) {
  return fmt::format("{}, weight {}, for {} s", registration.address.to_string(), registration.weight,
                     std::chrono::duration_cast<std::chrono::seconds>(registration.ttl).count());
}

}  // namespace

Joining::Joining(asio::io_context& io, util::AsyncLock& changing, EventLog& events, util::FileWriter& files, Hooks hooks)
    : io_(io), changing_(changing), events_(events), files_(files), hooks_(std::move(hooks)), listener_(io, *this) {}

tl::expected<config::Config, std::string> Joining::open(config::Config file, const std::string& directory) {
  file_ = std::move(file);
  path_ = directory + "/joined.json";
  const auto text = util::read_file_if_there(path_);
  if (!text) return tl::make_unexpected(text.error());
  if (*text) {
    auto stored = service::parse_joined(**text, path_, now());
    if (!stored) return tl::make_unexpected(stored.error());
    leases_ = std::move(stored->leases);
    discovered_ = std::move(stored->discovered);
  }
  auto joined = lay(file_);
  auto base = std::move(joined.config);
  take(std::move(joined));
  return base;
}

void Joining::start(Listener listener) {
  listener_.go_over(std::move(listener));
  for (const auto& stranger : strangers()) log::warning("token-without-service", "detail=\"{}\"", stranger);
  look_up();
}

void Joining::stop() {
  listener_.stop();
  if (unsaved_) save();
}

tl::expected<Joining::Listener, std::vector<std::string>> Joining::prepare(const config::Config& file) {
  return listener_.prepare(file.control);
}

void Joining::accept(config::Config file, const service::Joined& joined, Listener listener) {
  file_ = std::move(file);
  take(joined);
  listener_.go_over(std::move(listener));
  look_up();
}

void Joining::take(service::Joined joined) {
  origins_ = std::move(joined.origins);
  left_out_ = std::move(joined.left_out);
}

// ---- registration -----------------------------------------------------------------------------------------------

asio::awaitable<Outcome<control::Joined>> Joining::join(std::string service, std::string backend,
                                                        service::Registration registration) {
  const auto held = co_await changing_.acquire();
  if (auto refusal = hooks_.obstacle()) co_return tl::make_unexpected(std::move(*refusal));
  const Leases::Key key{service, backend};
  if (auto refusal = obstacle(key, registration)) co_return tl::make_unexpected(std::move(*refusal));
  auto leases = leases_;
  const auto renewal = leases.renew(key, registration, now());
  if (renewal == Leases::Renewal::kAddressTaken)
    co_return tl::make_unexpected(control::address_taken(service, registration.address));
  if (renewal == Leases::Renewal::kFull) co_return tl::make_unexpected(control::too_many_leases());
  const control::Joined joined{renewal == Leases::Renewal::kNew, leases.all().at(key).expires};
  if (!joined.is_new && leases_.all().at(key).registration == registration) {
    leases_ = std::move(leases);
    unsaved_ = true;
    co_return joined;
  }
  auto pending = store_and_go_over(std::move(leases));
  const auto changed = co_await std::move(pending);
  if (!changed) co_return tl::make_unexpected(changed.error());
  if (joined.is_new) {
    events_.add("backend-registered", describe(registration), service, backend);
  } else {
    events_.add("registration-changed", describe(registration), service, backend);
  }
  co_return joined;
}

asio::awaitable<Outcome<void>> Joining::leave(std::string service, std::string backend) {
  const auto held = co_await changing_.acquire();
  if (auto refusal = hooks_.obstacle()) co_return tl::make_unexpected(std::move(*refusal));
  auto leases = leases_;
  if (!leases.end({service, backend})) co_return tl::make_unexpected(control::not_joined(service, backend));
  auto pending = store_and_go_over(std::move(leases));
  const auto changed = co_await std::move(pending);
  if (!changed) co_return tl::make_unexpected(changed.error());
  events_.add("backend-left", "it has said so itself; its connections live on", service, backend);
  co_return Outcome<void>{};
}

/// What keeps a node out, but for other leases.
std::optional<Refusal> Joining::obstacle(const Leases::Key& key, const service::Registration& registration) const {
  const auto* own = service::find_service(file_, key.service);
  if (own == nullptr) return control::no_such_service(key.service);
  if (service::find_backend(*own, key.backend) != nullptr) return control::belongs_to_file(key.service, key.backend);
  auto present = hooks_.effective(key.service);
  std::erase_if(present.backends, [&](const config::Backend& backend) {
    const auto origin = origins_.find({key.service, backend.address});
    if (origin == origins_.end()) return false;
    return origin->second == service::Origin::kDiscovered || backend.name == key.backend;
  });
  if (service::find_backend(present, key.backend) != nullptr) return control::added_at_run_time(key.service, key.backend);
  const auto clash = service::find_clash(file_, present, service::to_backend(key.backend, registration));
  if (!clash) return std::nullopt;
  const bool never = clash->kind == service::ChangeError::Kind::kBad;
  return Refusal{never ? 422 : 409, never ? "Unprocessable content" : "The address is taken", clash->problems};
}

asio::awaitable<Outcome<bool>> Joining::go_over(Leases leases, bool stored) {
  const bool found_more = std::exchange(found_more_, false);  // DNS may answer again meanwhile
  auto joined = lay_joined(file_, leases, discovered_);
  auto pending = hooks_.apply(joined.config);
  auto changed = co_await std::move(pending);
  if (changed) {
    leases_ = std::move(leases);
    take(std::move(joined));
    stored ? hooks_.on_stored(text()) : save();
  } else {
    found_more_ = found_more_ || found_more;
  }
  co_return changed;
}

/// What has been confirmed must survive a crash.
asio::awaitable<Outcome<bool>> Joining::store_and_go_over(Leases leases) {
  auto storing = files_.store(path_, service::to_text(leases, discovered_));
  const auto stored = co_await std::move(storing);
  Outcome<bool> changed = stored ? Outcome<bool>(true) : tl::make_unexpected(Refusal{500, stored.error(), {}});
  if (stored) {
    auto pending = go_over(std::move(leases), true);
    changed = co_await std::move(pending);
  }
  if (!changed) save();
  co_return changed;
}

asio::awaitable<void> Joining::lapse() {
  auto leases = leases_;
  const auto lapsed = leases.lapse(std::chrono::steady_clock::now());
  if (lapsed.empty()) {
    leases_ = std::move(leases);
    co_return;
  }
  auto pending = go_over(std::move(leases));
  const auto changed = co_await std::move(pending);
  if (!changed) {
    log::error("apply-failed", "error=\"{}\"", changed.error().title);
    co_return;
  }
  for (const auto& [key, lease] : lapsed)
    events_.add("lease-lapsed", "not renewed in time; its connections live on", key.service, key.backend);
}

asio::awaitable<void> Joining::tend() {
  const bool follows = hooks_.obstacle().has_value();
  if (std::exchange(stood_by_, follows) && !follows) {
    leases_.begin_anew(now());
    unsaved_ = true;
  }
  if (!follows) co_await lapse();
  if (found_more_) {
    auto leases = leases_;
    auto pending = go_over(std::move(leases));
    const auto changed = co_await std::move(pending);
    if (!changed) log::error("apply-failed", "error=\"{}\"", changed.error().title);
  }
  if (unsaved_ && std::chrono::steady_clock::now() - saved_ >= kSaveInterval) save();
}

void Joining::save() {
  const auto text = this->text();
  files_.keep(path_, {text});
  unsaved_ = false;
  saved_ = std::chrono::steady_clock::now();
  hooks_.on_stored(text);
}

std::string Joining::text() const { return service::to_text(leases_, discovered_); }

asio::awaitable<tl::expected<void, std::string>> Joining::follow(std::string text) {
  auto stored = service::parse_joined(text, "the peer's registrations", now());
  if (!stored) co_return tl::make_unexpected(stored.error());
  if (lay_joined(file_, stored->leases, discovered_).config == lay(file_).config) {
    leases_ = std::move(stored->leases);
    unsaved_ = true;
    co_return tl::expected<void, std::string>{};
  }
  auto pending = go_over(std::move(stored->leases));
  const auto changed = co_await std::move(pending);
  if (!changed) co_return tl::make_unexpected(changed.error().title);
  events_.add("registrations-followed", "what has registered on the active is in effect here");
  co_return tl::expected<void, std::string>{};
}

// ---- status -----------------------------------------------------------------------------------------------------

JoinedView Joining::view() const {
  JoinedView view;
  view.origins = origins_;
  for (const auto& [key, lease] : leases_.all()) view.lapses[{key.service, lease.registration.address}] = lease.lapses;
  for (const auto& [service, lookup] : lookups_) view.lookups[service] = {lookup.setting, lookup.discovery->status()};
  return view;
}

std::vector<std::string> Joining::warnings() const {
  auto warnings = left_out_;
  std::ranges::move(strangers(), std::back_inserter(warnings));
  for (const auto& [service, lookup] : lookups_) {
    const auto& status = lookup.discovery->status();
    if (status.failing)
      warnings.push_back(fmt::format("service {}: {}: {}; the last answer, if there was one, stays in use", service, lookup.setting,
                                     status.last_error));
    if (status.cut != 0)
      warnings.push_back(fmt::format("service {}: {} has more than {} addresses; {} are left out", service, lookup.setting,
                                     discovery::kMaxBackends, status.cut));
  }
  return warnings;
}

}  // namespace wsl4::runtime
