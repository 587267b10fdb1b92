#include <cerrno>
#include <functional>

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/conversation.h"
#include "netlink/nft/batch.h"
#include "netlink/nft/decode.h"
#include "netlink/nft/nftables.h"

namespace wsl4::netlink::nft {

namespace {

/// A batch is one datagram, and each of its messages may be refused before the sender reads the first answer.
constexpr std::size_t kBatchBuffer = 256U << 20;

Result<Conversation> open_conversation() {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.send_buffer = kBatchBuffer;
  options.receive_buffer = kBatchBuffer;
  return Conversation::open(options);
}

using Attributes = std::function<void(MessageWriter&)>;
using Visit = std::function<void(ByteSpan)>;

void write_request(MessageWriter& writer, int type, int flags, std::uint32_t number, const Attributes& attributes) {
  writer.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
               number);
  writer.header(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
  attributes(writer);
  writer.end();
}

}  // namespace

struct KernelNftables::Impl {
  Conversation writing, reading;  // the owner of the table is the one that writes

  Result<void> commit(const Transaction& transaction) {
    const auto batch = encode_batch(transaction, writing.next_number());
    if (batch.operations.empty()) return {};
    const std::string& table = transaction.table();
    std::optional<Error> first_error;
    const auto take = [&](std::size_t index, const Message& message) {
      const auto outcome = message.outcome();
      if (!outcome) return false;
      const auto* const operation = batch.operation_of(message.sequence);
      if (*outcome != 0 && !first_error) {
        first_error = operation == nullptr ? Error{*outcome, "commit to table inet " + table}
                                           : Error{*outcome, fmt::format("table inet {}: {}", table, describe(*operation))};
      }
      // An error of the batch as a whole is all that comes.
      return operation == nullptr ? *outcome != 0 : index == batch.operations.size();
    };
    constexpr std::size_t kBeginAndEnd = 2;
    auto read = writing.converse(batch.bytes, batch.operations.size() + kBeginAndEnd, "commit to table inet " + table, take);
    if (!read || !first_error) return read;
    if (first_error->code == EPERM) first_error->what += why(table);
    return tl::make_unexpected(*first_error);
  }

  /// Why a commit is not permitted.
  std::string why(const std::string& table) {
    std::uint32_t owner = 0;
    const auto read = request(
        NFT_MSG_GETTABLE, "read the owner", [&](MessageWriter& writer) { writer.put_string(NFTA_TABLE_NAME, table); },
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
  Result<void> request(int type, const std::string& what, const Attributes& attributes, const Visit& visit) {
    MessageWriter writer;
    write_request(writer, type, NLM_F_ACK, reading.next_number(), attributes);
    return reading.ask(writer.bytes(), what, visit);
  }

  Result<void> list(int type, const std::string& what, const Attributes& attributes, const Visit& visit) {
    return reading.list(
        [&](MessageWriter& writer, std::uint32_t number) { write_request(writer, type, NLM_F_DUMP, number, attributes); }, what,
        visit);
  }
  Result<void> list(int type, std::uint16_t table_attribute, const std::string& table, const std::string& what,
                    const Visit& visit) {
    return list(
        type, what, [&](MessageWriter& writer) { writer.put_string(table_attribute, table); }, visit);
  }
};

KernelNftables::KernelNftables(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelNftables::~KernelNftables() = default;

Result<std::unique_ptr<KernelNftables>> KernelNftables::open() {
  auto writing = open_conversation();
  if (!writing) return tl::make_unexpected(writing.error());
  auto reading = open_conversation();
  if (!reading) return tl::make_unexpected(reading.error());
  return std::unique_ptr<KernelNftables>(
      new KernelNftables(std::make_unique<Impl>(Impl{std::move(*writing), std::move(*reading)})));
}

std::uint32_t KernelNftables::port_id() const { return impl_->writing.port_id(); }

Result<void> KernelNftables::commit(const Transaction& transaction) { return impl_->commit(transaction); }

Result<std::optional<Table>> KernelNftables::read_table(const std::string& name) {
  Table table;
  table.name = name;
  auto done = impl_->request(
      NFT_MSG_GETTABLE, "read table inet " + name, [&](MessageWriter& writer) { writer.put_string(NFTA_TABLE_NAME, name); },
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
      writer.put_string(NFTA_SET_ELEM_LIST_TABLE, name);
      writer.put_string(NFTA_SET_ELEM_LIST_SET, set_name);
    };
    done = impl_->list(NFT_MSG_GETSETELEM, "list elements of set " + set, both_names,
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

}  // namespace wsl4::netlink::nft
