#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/conntrack/conntrack.h"
#include "netlink/conntrack/messages.h"
#include "netlink/conntrack/parser.h"
#include "netlink/socket.h"

namespace wsl4::netlink::conntrack {

namespace {

// One send of about 70 KB: nearly all of the gain of batching, and few enough answers to fit into the buffer if all fail.
constexpr std::size_t kBatch = 256;
constexpr std::size_t kAnswerBuffer = 1U << 20;
constexpr std::size_t kDumpBuffer = 1U << 20;

std::string name_of(const Flow& flow) {
  return fmt::format("{} flow {} -> {}", to_string(flow.original.protocol), flow.original.source.to_string(),
                     flow.original.destination.to_string());
}

Result<Socket> open_socket(std::size_t receive_buffer) {
  auto socket = Socket::open({.bus = NETLINK_NETFILTER, .groups = {}, .receive_buffer = receive_buffer});
  const int on = 1;
  if (socket) {
    // Errors then come without the whole request behind them; only a matter of size.
    (void)::setsockopt(socket->fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  }
  return socket;
}

class KernelDump final : public Dump {
 public:
  explicit KernelDump(Socket socket) : socket_(std::move(socket)) {}

  Result<bool> step(const FlowSink& sink) override {
    if (done_) return false;
    const auto received = socket_.receive(buffer_);
    if (!received) return failure(received.error().code, "dump conntrack");
    if (received->kind == Received::Kind::kOverrun) return failure(EOVERFLOW, "dump conntrack");
    MessageReader reader(received->data);
    while (const auto message = reader.next()) {
      if (const auto outcome = message->outcome()) {
        done_ = true;
        if (*outcome != 0) return failure(*outcome, "dump conntrack");
      } else if (const auto flow = parse_flow(message->payload)) {
        sink(*flow);
      }
    }
    return !done_;
  }

 private:
  Socket socket_;
  bool done_ = false;
  std::array<std::uint8_t, kReceiveSize> buffer_;
};

}  // namespace

struct KernelConntrack::Impl {
  explicit Impl(Socket socket_in) : socket(std::move(socket_in)) {}

  static void ignore(std::size_t /*index*/, ByteSpan /*payload*/) {}

  /// Reads answers up to the one to `last`; hands each of those from `first` on to `take(index, errno)`, and what is told before to
  /// `told(index, payload)`.
  template <class Take, class Told = decltype(&ignore)>
  Result<void> read_answers(std::uint32_t first, std::uint32_t last, const char* what, Take&& take, Told&& told = &ignore) {
    while (true) {
      const auto received = socket.receive(buffer);
      if (!received) return failure(received.error().code, what);
      if (received->kind == Received::Kind::kOverrun) return failure(EOVERFLOW, what);
      MessageReader reader(received->data);
      while (const auto message = reader.next()) {
        const auto outcome = message->outcome();
        const std::uint32_t index = message->sequence - first;
        if (index > last - first) continue;  // an answer to a batch that was given up
        if (!outcome) {
          told(index, message->payload);
          continue;
        }
        take(index, *outcome);
        if (message->sequence == last) return {};
      }
    }
  }

  /// Sends one message per flow, written by `write`, in batches; hands what the kernel refused to `refused(index, errno)`.
  template <class Write, class Refused, class Told = decltype(&ignore)>
  Result<void> send_all(std::span<const Flow> flows, const char* what, Write&& write, Refused&& refused, Told&& told = &ignore) {
    for (std::size_t begin = 0; begin < flows.size(); begin += kBatch) {
      const auto batch = flows.subspan(begin, std::min(kBatch, flows.size() - begin));
      const std::uint32_t first = next_sequence;
      out.clear();
      for (const Flow& flow : batch) write(out, flow, next_sequence++);
      out.add_flags_to_last(NLM_F_ACK);
      if (auto sent = socket.send(out.bytes()); !sent) return failure(sent.error().code, what);
      auto read = read_answers(
          first, next_sequence - 1, what,
          [&](std::size_t index, int error) {
            if (error != 0) refused(begin + index, error);
          },
          [&](std::size_t index, ByteSpan payload) { told(begin + index, payload); });
      if (!read) return read;
    }
    return {};
  }

  /// One errno per flow.
  template <class Write>
  Result<std::vector<int>> try_all(std::span<const Flow> flows, const char* what, Write&& write) {
    std::vector<int> outcomes(flows.size(), 0);
    auto sent = send_all(flows, what, write, [&](std::size_t index, int error) { outcomes[index] = error; });
    if (!sent) return tl::make_unexpected(std::move(sent.error()));
    return outcomes;
  }

  template <class Write>
  Result<std::size_t> erase_all(std::span<const Flow> flows, Write&& write) {
    std::size_t erased = flows.size();
    std::optional<Error> first_error;
    auto sent = send_all(flows, "erase conntrack entries", write, [&](std::size_t index, int error) {
      --erased;
      if (error != ENOENT && !first_error) first_error = Error{error, "erase " + name_of(flows[index])};
    });
    if (!sent) return tl::make_unexpected(std::move(sent.error()));
    if (first_error) return tl::make_unexpected(*std::move(first_error));
    return erased;
  }

  /// Sends one message and waits for its acknowledgement.
  template <class Write, class Told = decltype(&ignore)>
  Result<void> ask(const char* what, Write&& write, Told&& told = &ignore) {
    const std::uint32_t sequence = next_sequence++;
    out.clear();
    write(out, sequence);
    if (auto sent = socket.send(out.bytes()); !sent) return failure(sent.error().code, what);
    int error = 0;
    auto read = read_answers(
        sequence, sequence, what, [&](std::size_t, int outcome) { error = outcome; }, told);
    if (!read) return read;
    if (error != 0) return failure(error, what);
    return {};
  }

  Socket socket;
  MessageWriter out;
  std::uint32_t next_sequence = 1;
  std::array<std::uint8_t, kReceiveSize> buffer{};
};

KernelConntrack::KernelConntrack(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelConntrack::~KernelConntrack() = default;

Result<std::unique_ptr<KernelConntrack>> KernelConntrack::open() {
  auto socket = open_socket(kAnswerBuffer);
  if (!socket) return tl::make_unexpected(socket.error());
  auto impl = std::make_unique<Impl>(std::move(*socket));
  if (auto usable = impl->ask("use conntrack netlink", write_statistics); !usable) return tl::make_unexpected(usable.error());
  return std::unique_ptr<KernelConntrack>(new KernelConntrack(std::move(impl)));
}

Result<std::unique_ptr<Dump>> KernelConntrack::dump(MarkFilter filter) {
  auto socket = open_socket(kDumpBuffer);
  if (!socket) return tl::make_unexpected(socket.error());
  MessageWriter request;
  write_dump(request, filter, 1);
  if (auto sent = socket->send(request.bytes()); !sent) return failure(sent.error().code, "dump conntrack");
  return std::make_unique<KernelDump>(std::move(*socket));
}

Result<std::uint64_t> KernelConntrack::count() {
  std::uint64_t entries = 0;
  auto asked = impl_->ask("count conntrack entries", write_statistics, [&](std::size_t, ByteSpan payload) {
    AttributeReader attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))));
    while (const auto attribute = attributes.next())
      if (attribute->type == CTA_STATS_GLOBAL_ENTRIES) entries = read_be32(attribute->value).value_or(0);
  });
  if (!asked) return tl::make_unexpected(asked.error());
  return entries;
}

Result<std::vector<std::optional<Flow>>> KernelConntrack::find(std::span<const Flow> flows) {
  std::vector<std::optional<Flow>> found(flows.size());
  std::optional<Error> first_error;
  const auto refused = [&](std::size_t index, int error) {
    if (error != ENOENT && !first_error) first_error = Error{error, "find " + name_of(flows[index])};
  };
  auto sent = impl_->send_all(flows, "find conntrack entries", write_find, refused, [&](std::size_t index, ByteSpan payload) {
    const auto flow = parse_flow(payload);
    if (flow && (flows[index].id == 0 || flows[index].id == flow->id)) found[index] = *flow;
  });
  if (!sent) return tl::make_unexpected(sent.error());
  if (first_error) return tl::make_unexpected(*std::move(first_error));
  return found;
}

Result<std::size_t> KernelConntrack::erase(std::span<const Flow> flows) { return impl_->erase_all(flows, write_erase); }

Result<std::size_t> KernelConntrack::erase_by_reply(std::span<const Flow> flows) {
  return impl_->erase_all(flows, write_erase_by_reply);
}

Result<void> KernelConntrack::erase_by_mark(MarkFilter filter) {
  constexpr auto kWhat = "erase conntrack entries by mark";
  if (filter.mask == 0) return failure(EINVAL, kWhat);
  return impl_->ask(kWhat, [&](MessageWriter& out, std::uint32_t sequence) { write_erase_by_mark(out, filter, sequence); });
}

Result<std::vector<int>> KernelConntrack::insert(std::span<const Flow> flows) {
  return impl_->try_all(flows, "insert conntrack entries", write_insert);
}

Result<std::vector<int>> KernelConntrack::set_timeouts(std::span<const Flow> flows) {
  return impl_->try_all(flows, "set timeouts of conntrack entries", write_timeout);
}

}  // namespace wsl4::netlink::conntrack
