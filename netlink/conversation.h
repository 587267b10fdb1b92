// Asking the kernel: requests, and their answers up to the last one (netlink(7)). What is the same for every family stands here:
// which answer belongs to which request, errors, overruns, and listings that somebody disturbed.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "netlink/message.h"
#include "netlink/result.h"
#include "netlink/socket.h"

namespace wsl4::netlink {

/// Every error names `what`. EOVERFLOW: answers were lost, so nobody knows the outcome.
class Conversation {
 public:
  /// `socket` blocks and hears no groups.
  explicit Conversation(Socket socket) : socket_(std::move(socket)) {}
  static Result<Conversation> open(const SocketOptions& options);

  [[nodiscard]] std::uint32_t port_id() const { return socket_.port_id(); }

  /// What the first request of the next `send` has as its sequence number; those after it count up.
  [[nodiscard]] std::uint32_t next_number() const { return first_ + count_; }
  /// `count` requests as one datagram. Answers to earlier ones are passed over from now on.
  Result<void> send(ByteSpan requests, std::size_t count, std::string_view what);
  /// Reads one datagram of answers. `take(index, message)` gets each with the index of its request; true: none comes after it.
  /// False: that, or the last request's outcome, has been read.
  template <class Take>
  Result<bool> step(std::string_view what, Take&& take);

  /// Sends `requests`, the last of which is answered by an outcome, and reads all answers.
  template <class Take>
  Result<void> converse(ByteSpan requests, std::size_t count, std::string_view what, Take&& take);
  /// One request; `visit(payload)` gets what comes before its outcome.
  template <class Visit>
  Result<void> ask(ByteSpan request, std::string_view what, Visit&& visit);

  /// Everything that a dump tells, whole or not at all: `write` makes the request, each time with the number that it is given. One
  /// during which the listed thing changed (NLM_F_DUMP_INTR) may lack some and is asked for again. EINTR: so were all of kListings.
  /// Linux 6.18 does not say so of chains while a long batch of somebody else is still being prepared.
  Result<void> list(const std::function<void(MessageWriter& request, std::uint32_t number)>& write, std::string_view what,
                    const std::function<void(ByteSpan payload)>& visit);
  static constexpr int kListings = 10;

 private:
  Socket socket_;
  std::uint32_t first_ = 1, count_ = 0;  // of what was sent last
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kReceiveSize);
};

template <class Take>
Result<bool> Conversation::step(std::string_view what, Take&& take) {
  const auto received = socket_.receive(buffer_);
  if (!received) return failure(received.error().code, what);
  if (received->kind == Received::Kind::kOverrun) return failure(EOVERFLOW, what);
  MessageReader messages(received->data);
  while (const auto message = messages.next()) {
    const std::uint32_t index = message->sequence - first_;
    if (index >= count_) continue;
    if (take(index, *message) || (index + 1 == count_ && message->outcome())) return false;
  }
  return true;
}

template <class Take>
Result<void> Conversation::converse(ByteSpan requests, std::size_t count, std::string_view what, Take&& take) {
  if (auto sent = send(requests, count, what); !sent) return sent;
  for (;;) {
    const auto more = step(what, take);
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) return {};
  }
}

template <class Visit>
Result<void> Conversation::ask(ByteSpan request, std::string_view what, Visit&& visit) {
  int error = 0;
  auto asked = converse(request, 1, what, [&](std::size_t, const Message& message) {
    const auto outcome = message.outcome();
    if (!outcome) visit(message.payload);
    error = outcome.value_or(0);
    return false;
  });
  if (asked && error != 0) return failure(error, what);
  return asked;
}

}  // namespace wsl4::netlink
