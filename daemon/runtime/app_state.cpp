// What outlives the daemon: files in the state directory, and sysctls, whose old values are there.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "daemon/runtime/app.h"
#include "daemon/service/overlay_json.h"
#include "daemon/util/file.h"
#include "daemon/util/log.h"

namespace wsl4::runtime {

namespace asio = boost::asio;

namespace {

constexpr const char* kEstablishedSysctl = "net/netfilter/nf_conntrack_tcp_timeout_established";

}  // namespace

/// A state directory of no use is found out while nothing has happened. One that has served before, or has no room, keeps nobody
/// from serving.
tl::expected<void, std::string> App::open_state() {
  std::error_code failed;
  const auto directory = wanted_.file->node.state_dir;  // the file is another one below
  std::filesystem::create_directories(directory, failed);
  if (failed) return tl::make_unexpected(fmt::format("node.state_dir: cannot create {}: {}", directory, failed.message()));
  auto lock = util::lock_folder(directory);
  if (!lock) return tl::make_unexpected("node.state_dir: " + lock.error());
  if (!*lock)
    return tl::make_unexpected(fmt::format("node.state_dir: another daemon uses {}; stop it, or set another one", directory));
  state_lock_ = *std::move(*lock);
  auto state = store_.load();
  if (!state) return tl::make_unexpected(state.error());
  state_ = std::move(*state);
  if (auto loaded_overlay = load_overlay(); !loaded_overlay) return loaded_overlay;
  auto joined = joining_.open(*wanted_.file, directory);
  if (!joined) return tl::make_unexpected(joined.error());
  wanted_.file = std::make_shared<const config::Config>(std::move(*joined));
  const auto usable = util::may_write_in(directory);
  if (usable || std::filesystem::exists(store_.path(), failed)) return {};
  return tl::make_unexpected("node.state_dir: " + usable.error());
}

/// With the values before `wanted`.
State App::noting(const Sysctls& wanted) const {
  auto next = state_;
  for (const auto& [name, value] : wanted) {
    const auto present = sysctls_->read(name);
    if (present && *present != value) next.note_change(name, *present, value);
    if (present && name == kEstablishedSysctl) next.note_timeouts(*present, value);
  }
  return next;
}

App::Sysctls App::write_sysctls(const Sysctls& wanted, State noted) {
  state_ = std::move(noted);
  auto changes = host::apply_sysctls(*sysctls_, wanted);
  sysctl_problems_ = std::move(changes.failures);
  for (const auto& problem : sysctl_problems_) log::error("sysctl-not-set", "error=\"{}\"", problem);
  return std::move(changes.old_values);
}

App::Sysctls App::set_sysctls(const config::Config& config) {
  const auto wanted = host::wanted_sysctls(config);
  auto noted = noting(wanted);
  if (!store_.save(noted)) files_.keep(store_.path(), {store_.text(noted)});
  return write_sysctls(wanted, std::move(noted));
}

asio::awaitable<App::Sysctls> App::change_sysctls(const config::Config& config) {
  const auto wanted = host::wanted_sysctls(config);
  auto noted = noting(wanted);
  if (noted != state_) {
    auto storing = files_.store(store_.path(), store_.text(noted));
    if (const auto stored = co_await std::move(storing); !stored) files_.keep(store_.path(), {store_.text(noted)});
  }
  co_return write_sysctls(wanted, std::move(noted));
}

/// What was set for a file that does not come into effect.
asio::awaitable<void> App::restore_sysctls(const Sysctls& old_values) {
  if (old_values.empty()) co_return;
  co_await change_sysctls(*wanted_.file);  // notes it too, for purge
  host::apply_sysctls(*sysctls_, old_values);
}

/// What somebody else has changed meanwhile is set again: without it flows would stop or be reset.
void App::watch_sysctls() {
  const auto wanted = host::wanted_sysctls(*wanted_.file);
  for (const auto& [name, value] : wanted) {
    const auto present = sysctls_->read(name);
    if (!present || *present == value) continue;
    if (sysctls_->write(name, value)) events_.add("sysctl-restored", fmt::format("{} was {}, is {} again", name, *present, value));
  }
}

std::uint64_t App::sysctl_number(const std::string& name) const {
  const auto text = sysctls_->read(name);
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::chrono::seconds App::established_timeout() const { return std::chrono::seconds(sysctl_number(kEstablishedSysctl)); }

void App::keep_newcomers() {
  auto newcomers = assembler_.newcomers();
  if (newcomers == state_.newcomers) return;
  state_.newcomers = std::move(newcomers);
  files_.keep(store_.path(), {store_.text(state_)});
}

tl::expected<void, std::string> App::load_overlay() {
  const auto text = util::read_file_if_there(overlay_path());
  if (!text) return tl::make_unexpected(text.error());
  if (!*text) return {};
  auto overlay = service::parse_overlay(**text, overlay_path());
  if (!overlay) return tl::make_unexpected(overlay.error());
  wanted_.overlay = std::move(*overlay);
  return {};
}

/// What has been confirmed must survive a crash.
asio::awaitable<tl::expected<void, std::string>> App::store_overlay(const service::Overlay& overlay) {
  auto storing = files_.store(overlay_path(), service::to_text(overlay));
  const auto stored = co_await std::move(storing);
  if (!stored) keep_overlay();
  co_return stored;
}

void App::keep_overlay() {
  const auto text = service::to_text(wanted_.overlay);
  files_.keep(overlay_path(), {text});
  share_overlay(text);
}

std::string App::overlay_path() const { return wanted_.file->node.state_dir + "/runtime.json"; }

}  // namespace wsl4::runtime
