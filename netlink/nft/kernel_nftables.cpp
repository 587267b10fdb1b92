#include <cerrno>
#include <functional>

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/message.h"
#include "netlink/nft/batch.h"
#include "netlink/nft/decode.h"
#include "netlink/nft/nftables.h"
#include "netlink/socket.h"

namespace wsl4::netlink::nft {

namespace {

/// A batch is one datagram, and each of its messages is acknowledged before the sender reads the first acknowledgement.
constexpr std::size_t kBatchBuffer = 256U << 20;

Result<Socket> open_socket() {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.send_buffer = kBatchBuffer;
  options.receive_buffer = kBatchBuffer;
  return Socket::open(options);
}

using Visit = std::function<void(ByteSpan)>;

}  // namespace

struct KernelNftables::Impl {
  Socket writing, reading;  // the owner of the table is the one that writes
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(1U << 16);
  std::uint32_t sequence = 1;

  Result<void> read_acknowledgements(const Batch& batch, const std::string& table) {
    const Error* first_error = nullptr;
    Error error;
    for (std::size_t acknowledged = 0; acknowledged < batch.operations.size();) {
      const auto received = writing.receive(buffer);
      if (!received) return tl::make_unexpected(received.error());
      if (received->kind == Received::Kind::kOverrun) return failure(EOVERFLOW, "read the outcome of a commit");
      MessageReader messages(received->data);
      while (const auto message = messages.next()) {
        const auto outcome = message->outcome();
        if (!outcome) continue;
        const auto* operation = batch.operation_of(message->sequence);
        if (operation == nullptr) {
          if (message->sequence == batch.first_sequence) return failure(*outcome, "commit to table inet " + table);
          continue;  // of a batch before
        }
        ++acknowledged;
        if (*outcome == 0 || first_error != nullptr) continue;
        error = {*outcome, fmt::format("table inet {}: {}{}", table, describe(*operation), *outcome == EPERM ? why(table) : "")};
        first_error = &error;
      }
    }
    if (first_error != nullptr) return tl::make_unexpected(error);
    return {};
  }

  /// Why a commit is not permitted.
  std::string why(const std::string& table) {
    std::uint32_t owner = 0;
    const auto read = request(
        NFT_MSG_GETTABLE, NLM_F_ACK, "read the owner", [&](MessageWriter& writer) { put_string(writer, NFTA_TABLE_NAME, table); },
        [&](ByteSpan payload) {
          AttributeReader attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))));
          while (const auto attribute = attributes.next()) {
            if (attribute->type == NFTA_TABLE_OWNER) owner = read_be32(attribute->value).value_or(0);
          }
        });
    if (!read || owner == 0) return " (needs CAP_NET_ADMIN)";
    return fmt::format(" (another process owns the table; its netlink port, usually the process number, is {}: end it first)",
                       owner);
  }

  /// One request and all of its answers.
  Result<void> request(int type, int flags, const std::string& what, const std::function<void(MessageWriter&)>& attributes,
                       const Visit& visit) {
    MessageWriter writer;
    writer.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                 ++sequence);
    writer.header(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
    attributes(writer);
    writer.end();
    if (auto sent = reading.send(writer.bytes()); !sent) return sent;
    for (;;) {
      const auto received = reading.receive(buffer);
      if (!received) return tl::make_unexpected(received.error());
      if (received->kind == Received::Kind::kOverrun) return failure(ENOBUFS, what);
      MessageReader messages(received->data);
      while (const auto message = messages.next()) {
        if (message->sequence != sequence) continue;
        if (const auto outcome = message->outcome()) {
          if (*outcome != 0) return failure(*outcome, what);
          return {};
        }
        visit(message->payload);
      }
    }
  }

  Result<void> list(int type, std::uint16_t table_attribute, const std::string& table, const std::string& what,
                    const Visit& visit) {
    return request(
        type, NLM_F_DUMP, what, [&](MessageWriter& writer) { put_string(writer, table_attribute, table); }, visit);
  }

  static void put_string(MessageWriter& writer, std::uint16_t type, const std::string& text) {
    const auto* begin = text.c_str();
    const Bytes bytes(begin, begin + text.size() + 1);
    writer.put(type, bytes);
  }
};

KernelNftables::KernelNftables(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelNftables::~KernelNftables() = default;

Result<std::unique_ptr<KernelNftables>> KernelNftables::open() {
  auto writing = open_socket();
  if (!writing) return tl::make_unexpected(writing.error());
  auto reading = open_socket();
  if (!reading) return tl::make_unexpected(reading.error());
  return std::unique_ptr<KernelNftables>(
      new KernelNftables(std::make_unique<Impl>(Impl{std::move(*writing), std::move(*reading)})));
}

std::uint32_t KernelNftables::port_id() const { return impl_->writing.port_id(); }

Result<void> KernelNftables::commit(const Transaction& transaction, std::optional<std::uint32_t> expected_generation) {
  const auto batch = encode_batch(transaction, ++impl_->sequence, expected_generation);
  impl_->sequence += static_cast<std::uint32_t>(batch.operations.size()) + 1;
  if (auto sent = impl_->writing.send(batch.bytes); !sent) return sent;
  return impl_->read_acknowledgements(batch, transaction.table());
}

Result<std::optional<Table>> KernelNftables::read_table(const std::string& name) {
  Table table;
  table.name = name;
  auto done = impl_->request(
      NFT_MSG_GETTABLE, NLM_F_ACK, "read table inet " + name,
      [&](MessageWriter& writer) { Impl::put_string(writer, NFTA_TABLE_NAME, name); },
      [&](ByteSpan payload) { decode_table(payload, table); });
  if (!done && done.error().code == ENOENT) return std::optional<Table>();
  std::map<std::string, CounterValue> values;
  if (done)
    done = impl_->list(NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, name, "list chains",
                       [&](ByteSpan payload) { decode_chain(payload, table); });
  if (done)
    done = impl_->list(NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, name, "list objects",
                       [&](ByteSpan payload) { decode_object(payload, table, values); });
  if (done)
    done = impl_->list(NFT_MSG_GETSET, NFTA_SET_TABLE, name, "list sets", [&](ByteSpan payload) { decode_set(payload, table); });
  if (done)
    done = impl_->list(NFT_MSG_GETFLOWTABLE, NFTA_FLOWTABLE_TABLE, name, "list flowtables",
                       [&](ByteSpan payload) { decode_flowtable(payload, table); });
  for (const auto& [set, spec] : table.sets) {
    if (!done) break;
    if (spec.holds_state()) continue;  // what packets added can be much
    const auto both_names = [&name, &set_name = set](MessageWriter& writer) {
      Impl::put_string(writer, NFTA_SET_ELEM_LIST_TABLE, name);
      Impl::put_string(writer, NFTA_SET_ELEM_LIST_SET, set_name);
    };
    done = impl_->request(NFT_MSG_GETSETELEM, NLM_F_DUMP, "list elements of set " + set, both_names,
                          [&](ByteSpan payload) { decode_elements(payload, table); });
  }
  if (done)
    done =
        impl_->list(NFT_MSG_GETRULE, NFTA_RULE_TABLE, name, "list rules", [&](ByteSpan payload) { decode_rule(payload, table); });
  if (!done) return tl::make_unexpected(done.error());
  return std::optional<Table>(std::move(table));
}

Result<std::map<std::string, CounterValue>> KernelNftables::read_counters(const std::string& table) {
  Table listed;
  listed.name = table;
  std::map<std::string, CounterValue> values;
  const auto done = impl_->list(NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, table, "list objects",
                                [&](ByteSpan payload) { decode_object(payload, listed, values); });
  if (!done) return tl::make_unexpected(done.error());
  return values;
}

Result<std::uint32_t> KernelNftables::generation() {
  std::uint32_t generation = 0;
  const auto done = impl_->request(
      NFT_MSG_GETGEN, NLM_F_ACK, "read the generation", [](MessageWriter&) {},
      [&](ByteSpan payload) {
        AttributeReader attributes(payload.subspan(std::min(payload.size(), sizeof(nfgenmsg))));
        while (const auto attribute = attributes.next()) {
          if (attribute->type == NFTA_GEN_ID) generation = read_be32(attribute->value).value_or(0);
        }
      });
  if (!done) return tl::make_unexpected(done.error());
  return generation;
}

}  // namespace wsl4::netlink::nft
