#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/conntrack/conntrack.h"
#include "netlink/conntrack/messages.h"
#include "netlink/conntrack/parser.h"
#include "netlink/conversation.h"

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

Result<Conversation> open_conversation(std::size_t receive_buffer) {
  return Conversation::open({.bus = NETLINK_NETFILTER, .groups = {}, .receive_buffer = receive_buffer});
}

class KernelDump final : public Dump {
 public:
  explicit KernelDump(Conversation kernel) : kernel_(std::move(kernel)) {}

  Result<bool> step(const FlowSink& sink) override {
    if (done_) return false;
    int error = 0;
    auto more = kernel_.step(kWhat, [&](std::size_t, const Message& message) {
      error = message.outcome().value_or(0);
      if (message.outcome()) return true;
      if (const auto flow = parse_flow(message.payload)) sink(*flow);
      return false;
    });
    done_ = !more.value_or(true);
    if (error != 0) return failure(error, kWhat);
    return more;
  }

  static constexpr auto kWhat = "dump conntrack";

 private:
  Conversation kernel_;
  bool done_ = false;
};

}  // namespace

struct KernelConntrack::Impl {
  explicit Impl(Conversation conversation) : kernel(std::move(conversation)) {}

  static void ignore(std::size_t /*index*/, ByteSpan /*payload*/) {}

  /// Sends one message per flow, written by `write`, in batches; hands what the kernel refused to `refused(index, errno)`.
  template <class Write, class Refused, class Told = decltype(&ignore)>
  Result<void> send_all(std::span<const Flow> flows, const char* what, Write&& write, Refused&& refused, Told&& told = &ignore) {
    for (std::size_t begin = 0; begin < flows.size(); begin += kBatch) {
      const auto batch = flows.subspan(begin, std::min(kBatch, flows.size() - begin));
      auto number = kernel.next_number();
      out.clear();
      for (const Flow& flow : batch) write(out, flow, number++);
      out.add_flags_to_last(NLM_F_ACK);
      auto read = kernel.converse(out.bytes(), batch.size(), what, [&](std::size_t index, const Message& message) {
        const auto outcome = message.outcome();
        if (!outcome) told(begin + index, message.payload);
        if (outcome.value_or(0) != 0) refused(begin + index, *outcome);
        return false;
      });
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

  template <class Visit>
  Result<void> ask_statistics(const char* what, Visit&& visit) {
    out.clear();
    write_statistics(out, kernel.next_number());
    return kernel.ask(out.bytes(), what, visit);
  }

  Conversation kernel;
  MessageWriter out;
};

KernelConntrack::KernelConntrack(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelConntrack::~KernelConntrack() = default;

Result<std::unique_ptr<KernelConntrack>> KernelConntrack::open() {
  auto kernel = open_conversation(kAnswerBuffer);
  if (!kernel) return tl::make_unexpected(kernel.error());
  auto impl = std::make_unique<Impl>(std::move(*kernel));
  if (auto usable = impl->ask_statistics("use conntrack netlink", [](ByteSpan) {}); !usable)
    return tl::make_unexpected(usable.error());
  return std::unique_ptr<KernelConntrack>(new KernelConntrack(std::move(impl)));
}

Result<std::unique_ptr<Dump>> KernelConntrack::dump(MarkFilter filter) {
  auto kernel = open_conversation(kDumpBuffer);
  if (!kernel) return tl::make_unexpected(kernel.error());
  MessageWriter request;
  write_dump(request, filter, kernel->next_number());
  if (auto sent = kernel->send(request.bytes(), 1, KernelDump::kWhat); !sent) return tl::make_unexpected(sent.error());
  return std::make_unique<KernelDump>(std::move(*kernel));
}

Result<std::uint64_t> KernelConntrack::count() {
  std::uint64_t entries = 0;
  auto asked = impl_->ask_statistics("count conntrack entries", [&](ByteSpan payload) {
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

Result<std::vector<int>> KernelConntrack::insert(std::span<const Flow> flows) {
  return impl_->try_all(flows, "insert conntrack entries", write_insert);
}

Result<std::vector<int>> KernelConntrack::set_timeouts(std::span<const Flow> flows) {
  return impl_->try_all(flows, "set timeouts of conntrack entries", write_timeout);
}

Result<std::vector<int>> KernelConntrack::set_closed(std::span<const Flow> flows, std::uint32_t mark_bits) {
  return impl_->try_all(
      flows, "close conntrack entries",
      [mark_bits](MessageWriter& out, const Flow& flow, std::uint32_t sequence) { write_closed(out, flow, mark_bits, sequence); });
}

Result<std::vector<int>> KernelConntrack::set_marks(std::span<const Flow> flows, std::uint32_t mask) {
  return impl_->try_all(
      flows, "set marks of conntrack entries",
      [mask](MessageWriter& out, const Flow& flow, std::uint32_t sequence) { write_mark(out, flow, mask, sequence); });
}

}  // namespace wsl4::netlink::conntrack
