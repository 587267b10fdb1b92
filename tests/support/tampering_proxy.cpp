#include "tests/support/tampering_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "tests/support/psk_client.h"

namespace wsl4::test {
namespace {

constexpr int kPollTime = 50;  // ms; how long a thread may take to notice the end

/// Some bytes; empty at the end.
std::string read_some(int fd) {
  std::array<char, 65536> buffer{};
  const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

}  // namespace

TamperingProxy::TamperingProxy(const netlink::Endpoint& listen, netlink::IpAddress from, netlink::Endpoint to)
    : listener_(listen_at(listen)), from_(from), to_(to), acceptor_([this] { accept(); }) {}

TamperingProxy::~TamperingProxy() {
  stopping_ = true;
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

std::string TamperingProxy::recording() const {
  const std::lock_guard lock(mutex_);
  return recording_;
}

void TamperingProxy::accept() {
  while (!stopping_) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollTime) != 1) continue;
    netlink::Fd near(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const bool first = threads_.empty();
    threads_.emplace_back([this, first, fd = near.release()] { serve(netlink::Fd(fd), first); });
  }
}

void TamperingProxy::serve(netlink::Fd near, bool record) {
  netlink::Fd far;
  try {
    far = connect_from(from_, to_);
  } catch (const std::exception&) { return; }
  while (!stopping_) {
    std::array<pollfd, 2> waiting{pollfd{near.get(), POLLIN, 0}, pollfd{far.get(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), kPollTime) < 1) continue;
    if (waiting[0].revents != 0 && !pass_on(read_some(near.get()), far.get(), record)) return;
    if (waiting[1].revents != 0) {
      const auto bytes = read_some(far.get());
      if (bytes.empty() || !send_all(near.get(), bytes)) return;
    }
  }
}

bool TamperingProxy::pass_on(std::string bytes, int to, bool record) {
  if (bytes.empty()) return false;
  if (record) {
    const std::lock_guard lock(mutex_);
    recording_ += bytes;
  }
  const Way now = way.exchange(Way::kPassOn);
  if (now != Way::kPassOn) ++tampered;
  if (now == Way::kFlipABit) bytes.back() = static_cast<char>(bytes.back() ^ 1);
  if (now == Way::kRepeat) bytes += bytes;
  if (now == Way::kCutShort) bytes.resize((bytes.size() + 1) / 2);
  return send_all(to, bytes) && now != Way::kCutShort;
}

}  // namespace wsl4::test
