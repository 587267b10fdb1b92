// Two nodes' links on loopback, with sessions that record what they see.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/peer/link.h"
#include "tests/support/http_bed.h"

namespace wsl4::test {

/// Of that digit only.
[[nodiscard]] inline peer::Key key(char digit) { return *peer::Key::parse(std::string(64, digit)); }

/// Says what it is told to say, keeps what it hears. May be asked from any thread.
class RecordingSession final : public peer::Session {
 public:
  void on_connected() override {
    ++connected;
    const std::lock_guard lock(mutex_);
    heard_.clear();  // of the connection in use
  }
  void on_bytes(std::span<const std::uint8_t> bytes) override {
    const std::lock_guard lock(mutex_);
    heard_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void next_bytes(std::vector<std::uint8_t>& out, std::size_t budget) override {
    if (endless) out.resize(out.size() + budget, 'x');
    const std::lock_guard lock(mutex_);
    const auto size = std::min(budget, to_say_.size());
    out.insert(out.end(), to_say_.begin(), to_say_.begin() + static_cast<std::ptrdiff_t>(size));
    to_say_.erase(0, size);
    pulled += out.size();
  }
  void on_disconnected(const std::string& reason) override {
    ++disconnected;
    const std::lock_guard lock(mutex_);
    reasons_.push_back(reason);
  }

  /// Followed by Link::wake.
  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    to_say_ += text;
  }
  [[nodiscard]] std::string heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  /// As the last that it heard. Copies nothing, so that asking all the time does not slow the link down.
  [[nodiscard]] bool heard_last(std::string_view end) const {
    const std::lock_guard lock(mutex_);
    return heard_.ends_with(end);
  }
  [[nodiscard]] std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }

  std::atomic<std::size_t> connected{0}, disconnected{0}, pulled{0};
  std::atomic<bool> endless{false};

 private:
  mutable std::mutex mutex_;
  std::string heard_, to_say_;
  std::vector<std::string> reasons_;
};

/// A link, its session and its thread.
class LinkNode {
 public:
  LinkNode(const peer::LinkOptions& options, peer::Keys keys) {
    auto link = peer::Link::start(thread_.io(), options, std::move(keys), session);
    if (!link) throw std::runtime_error(link.error());
    link_ = std::move(*link);
    thread_.start();
  }
  ~LinkNode() { stop(); }
  LinkNode(const LinkNode&) = delete;
  LinkNode& operator=(const LinkNode&) = delete;

  /// As if the process had ended.
  void stop() {
    if (link_) thread_.run([this] { link_.reset(); });
  }
  template <class Function>
  void run(Function function) {
    thread_.run([&] { function(*link_); });
  }
  [[nodiscard]] peer::LinkStats stats() {
    peer::LinkStats stats;
    thread_.run([&] { stats = link_->stats(); });
    return stats;
  }
  [[nodiscard]] std::uint64_t refused(peer::Refusal why) { return stats().refused(why); }
  void say(const std::string& text) {
    session.say(text);
    run([](peer::Link& link) { link.wake(); });
  }

  RecordingSession session;

 private:
  IoThread thread_;
  std::unique_ptr<peer::Link> link_;
};

}  // namespace wsl4::test
