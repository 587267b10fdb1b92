#include "netlink/nft/batch.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/nft/expressions.h"
#include "netlink/nft/layout.h"
#include "netlink/nft/userdata.h"

namespace wsl4::netlink::nft {

namespace {

/// Element lists are one attribute, whose length has 16 bits; one element is well below what is left.
constexpr std::size_t kElementBytes = 60'000;
/// nft's numbers of types (nft include/datatype.h).
constexpr std::array<std::pair<Type, std::uint32_t>, 6> kTypes{{{Type::kSlot, 4},
                                                                {Type::kIpv4Addr, 7},
                                                                {Type::kIpv6Addr, 8},
                                                                {Type::kInetProto, 12},
                                                                {Type::kInetService, 13},
                                                                {Type::kMark, 19}}};
constexpr unsigned kTypeBits = 6;
constexpr std::uint64_t kMilliseconds = 1000;  // of a second

std::uint16_t message_type(int message) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message); }

std::size_t plain_size(Type type) {
  switch (type) {
    case Type::kInetProto:
      return 1;
    case Type::kInetService:
      return 2;
    case Type::kIpv6Addr:
      return 16;
    case Type::kIpv4Addr:
    case Type::kMark:
    case Type::kSlot:
      return 4;
  }
  return 4;
}

/// A lone field is not padded, fields of a concatenation are.
std::size_t size_of(const std::vector<Type>& types) { return types.size() == 1 ? plain_size(types[0]) : padded_size(types); }

std::size_t data_size_of(const Set& spec) { return spec.data_ranges ? padded_data_size(spec) : size_of(spec.data); }

std::uint32_t set_flags(const Set& spec) {
  std::uint32_t flags = spec.verdicts || !spec.data.empty() ? NFT_SET_MAP : 0;
  if (spec.dynamic) flags |= NFT_SET_EVAL;
  if (spec.timeout.count() != 0) flags |= NFT_SET_TIMEOUT;
  return flags;
}

class BatchEncoder {
 public:
  BatchEncoder(const Transaction& transaction, std::uint32_t first_sequence)
      : table_(transaction.table()), sequence_(first_sequence) {
    batch_.first_sequence = first_sequence;
  }

  void begin() {
    bound(NFNL_MSG_BATCH_BEGIN, 0);
    writer_.end();
  }
  Batch end() {
    writer_.add_flags_to_last(NLM_F_ACK);
    bound(NFNL_MSG_BATCH_END, 0);
    writer_.end();
    const auto bytes = writer_.bytes();
    batch_.bytes.assign(bytes.begin(), bytes.end());
    return std::move(batch_);
  }
  void add(const Operation& operation) {
    operation_ = &operation;
    std::visit(*this, operation);
  }

  void operator()(const AddTable& table) {
    start(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    writer_.put_string(NFTA_TABLE_NAME, table_);
    writer_.put_be32(NFTA_TABLE_FLAGS, table.owned ? NFT_TABLE_F_OWNER | kTablePersist : 0);
    put_userdata(NFTA_TABLE_USERDATA, comment_userdata(table.comment));
    writer_.end();
  }
  void operator()(const DeleteTable&) {
    start(NFT_MSG_DELTABLE, 0);
    writer_.put_string(NFTA_TABLE_NAME, table_);
    writer_.end();
  }
  void operator()(const AddChain& chain) {
    start(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
    writer_.put_string(NFTA_CHAIN_TABLE, table_);
    writer_.put_string(NFTA_CHAIN_NAME, chain.name);
    if (chain.hook) {
      writer_.put_string(NFTA_CHAIN_TYPE, chain.hook->type == Hook::Type::kNat ? "nat" : "filter");
      writer_.put_be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
      const auto nest = writer_.begin_nest(NFTA_CHAIN_HOOK);
      writer_.put_be32(NFTA_HOOK_HOOKNUM, hook_number(chain.hook->point));
      writer_.put_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.hook->priority));
      writer_.end_nest(nest);
    }
    put_userdata(NFTA_CHAIN_USERDATA, comment_userdata(chain.comment));
    writer_.end();
  }
  void operator()(const FlushChain& chain) {
    start(NFT_MSG_DELRULE, 0);
    writer_.put_string(NFTA_RULE_TABLE, table_);
    writer_.put_string(NFTA_RULE_CHAIN, chain.name);
    writer_.end();
  }
  void operator()(const DeleteChain& chain) {
    start(NFT_MSG_DELCHAIN, 0);
    writer_.put_string(NFTA_CHAIN_TABLE, table_);
    writer_.put_string(NFTA_CHAIN_NAME, chain.name);
    writer_.end();
  }
  void operator()(const AddRule& add) {
    start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    writer_.put_string(NFTA_RULE_TABLE, table_);
    writer_.put_string(NFTA_RULE_CHAIN, add.chain);
    put_expressions(add.rule);
    put_userdata(NFTA_RULE_USERDATA, rule_userdata(add.rule));
    writer_.end();
  }
  void operator()(const AddSet& add) {
    const auto& spec = add.spec;
    start(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
    writer_.put_string(NFTA_SET_TABLE, table_);
    writer_.put_string(NFTA_SET_NAME, add.name);
    writer_.put_be32(NFTA_SET_FLAGS, set_flags(spec));
    writer_.put_be32(NFTA_SET_KEY_TYPE, type_number(spec.key));
    writer_.put_be32(NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(size_of(spec.key)));
    if (spec.verdicts) {
      writer_.put_be32(NFTA_SET_DATA_TYPE, kVerdictType);
      writer_.put_be32(NFTA_SET_DATA_LEN, 0);
    } else if (!spec.data.empty()) {
      writer_.put_be32(NFTA_SET_DATA_TYPE, type_number(spec.data));
      writer_.put_be32(NFTA_SET_DATA_LEN, static_cast<std::uint32_t>(data_size_of(spec)));
    }
    if (spec.timeout.count() != 0)
      writer_.put_be64(NFTA_SET_TIMEOUT, static_cast<std::uint64_t>(spec.timeout.count()) * kMilliseconds);
    writer_.put_be32(NFTA_SET_ID, ++set_id_);
    newest_set_ = &add.name;
    if (spec.size != 0) {
      const auto nest = writer_.begin_nest(NFTA_SET_DESC);
      writer_.put_be32(NFTA_SET_DESC_SIZE, spec.size);
      writer_.end_nest(nest);
    }
    put_userdata(NFTA_SET_USERDATA, set_userdata(spec));
    writer_.end();
  }
  void operator()(const DeleteSet& set) {
    start(NFT_MSG_DELSET, 0);
    writer_.put_string(NFTA_SET_TABLE, table_);
    writer_.put_string(NFTA_SET_NAME, set.name);
    writer_.end();
  }
  /// A request without a list of elements means all.
  void operator()(const FlushSet& set) {
    start(NFT_MSG_DELSETELEM, 0);
    writer_.put_string(NFTA_SET_ELEM_LIST_TABLE, table_);
    writer_.put_string(NFTA_SET_ELEM_LIST_SET, set.name);
    writer_.end();
  }
  void operator()(const AddElements& add) {
    put_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, add.set, add.spec, add.elements);
  }
  void operator()(const DeleteElements& gone) { put_elements(NFT_MSG_DELSETELEM, 0, gone.set, gone.spec, gone.elements); }
  void operator()(const AddCounter& counter) {
    start(NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL);
    writer_.put_string(NFTA_OBJ_TABLE, table_);
    writer_.put_string(NFTA_OBJ_NAME, counter.name);
    writer_.put_be32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    writer_.end_nest(writer_.begin_nest(NFTA_OBJ_DATA));
    put_userdata(NFTA_OBJ_USERDATA, comment_userdata(counter.comment));
    writer_.end();
  }
  void operator()(const DeleteCounter& counter) {
    start(NFT_MSG_DELOBJ, 0);
    writer_.put_string(NFTA_OBJ_TABLE, table_);
    writer_.put_string(NFTA_OBJ_NAME, counter.name);
    writer_.put_be32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    writer_.end();
  }

 private:
  void bound(std::uint16_t type, std::uint16_t flags) {
    writer_.begin(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), sequence_++);
    writer_.header(nfgenmsg{NFPROTO_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)});
  }
  void start(int message, int flags) {
    writer_.begin(message_type(message), static_cast<std::uint16_t>(NLM_F_REQUEST | flags), sequence_++);
    writer_.header(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
    batch_.operations.push_back(operation_);
  }
  void put_userdata(std::uint16_t type, const Bytes& userdata) {
    if (!userdata.empty()) writer_.put(type, userdata);
  }
  /// libnftnl builds the expressions; the message around them is ours.
  void put_expressions(const Rule& rule) {
    const RulePtr built(nftnl_rule_alloc());
    add_expressions(*built, rule.statements);
    scratch_.resize(1U << 16);
    auto* const header = nftnl_nlmsg_build_hdr(scratch_.data(), 0, NFPROTO_INET, 0, 0);
    nftnl_rule_nlmsg_build_payload(header, built.get());
    constexpr std::size_t kHeaderSize = sizeof(nlmsghdr) + sizeof(nfgenmsg);
    const auto* bytes = static_cast<const std::uint8_t*>(static_cast<const void*>(scratch_.data()));
    AttributeReader attributes(ByteSpan(bytes, header->nlmsg_len).subspan(kHeaderSize));
    while (const auto attribute = attributes.next()) {
      if (attribute->type == NFTA_RULE_EXPRESSIONS) writer_.put(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, attribute->value);
    }
  }
  void put_elements(int message, int flags, const std::string& set, const Set& spec, const ElementList& elements) {
    for (auto element = elements.begin(); element != elements.end();) {
      start(message, flags);
      writer_.put_string(NFTA_SET_ELEM_LIST_TABLE, table_);
      put_set(set);
      const auto list = writer_.begin_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
      const auto limit = writer_.bytes().size() + kElementBytes;
      for (; element != elements.end() && writer_.bytes().size() < limit; ++element)
        put_element(spec, element->first, element->second);
      writer_.end_nest(list);
      writer_.end();
    }
  }
  /// By its number where it was just made: for a name the kernel walks all sets of the table.
  void put_set(const std::string& name) {
    if (newest_set_ && *newest_set_ == name)
      writer_.put_be32(NFTA_SET_ELEM_LIST_SET_ID, set_id_);
    else
      writer_.put_string(NFTA_SET_ELEM_LIST_SET, name);
  }
  void put_element(const Set& spec, const Bytes& key, const Element& element) {
    const auto nest = writer_.begin_nest(NFTA_LIST_ELEM);
    put_data(NFTA_SET_ELEM_KEY, ByteSpan(key).first(std::min(key.size(), size_of(spec.key))));
    if (const auto* data = std::get_if<Bytes>(&element.data)) {
      put_data(NFTA_SET_ELEM_DATA, ByteSpan(*data).first(std::min(data->size(), data_size_of(spec))));
    } else if (const auto* verdict = std::get_if<Verdict>(&element.data)) {
      put_verdict(*verdict);
    }
    put_userdata(NFTA_SET_ELEM_USERDATA, comment_userdata(element.comment));
    writer_.end_nest(nest);
  }
  void put_data(std::uint16_t type, ByteSpan value) {
    const auto nest = writer_.begin_nest(type);
    writer_.put(NFTA_DATA_VALUE, value);
    writer_.end_nest(nest);
  }
  void put_verdict(const Verdict& verdict) {
    const auto data = writer_.begin_nest(NFTA_SET_ELEM_DATA);
    const auto nest = writer_.begin_nest(NFTA_DATA_VERDICT);
    writer_.put_be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(verdict_code(verdict.kind)));
    if (!verdict.chain.empty()) writer_.put_string(NFTA_VERDICT_CHAIN, verdict.chain);
    writer_.end_nest(nest);
    writer_.end_nest(data);
  }

  const std::string& table_;
  std::uint32_t sequence_;
  std::uint32_t set_id_ = 0;
  const std::string* newest_set_ = nullptr;  // what `set_id_` is the number of
  MessageWriter writer_;
  Batch batch_;
  const Operation* operation_ = nullptr;
  std::vector<char> scratch_;
};

}  // namespace

const Operation* Batch::operation_of(std::uint32_t sequence) const {
  const auto index = sequence - first_sequence - 1;
  return index < operations.size() ? operations[index] : nullptr;
}

Batch encode_batch(const Transaction& transaction, std::uint32_t first_sequence) {
  BatchEncoder encoder(transaction, first_sequence);
  encoder.begin();
  for (const auto& operation : transaction.operations()) encoder.add(operation);
  return encoder.end();
}

std::uint32_t hook_number(Hook::Point point) {
  switch (point) {
    case Hook::Point::kPrerouting:
      return NF_INET_PRE_ROUTING;
    case Hook::Point::kInput:
      return NF_INET_LOCAL_IN;
    case Hook::Point::kForward:
      return NF_INET_FORWARD;
    case Hook::Point::kOutput:
      return NF_INET_LOCAL_OUT;
    case Hook::Point::kPostrouting:
      return NF_INET_POST_ROUTING;
  }
  return NF_INET_PRE_ROUTING;
}

std::uint32_t type_number(const std::vector<Type>& types) {
  std::uint32_t number = 0;
  for (const auto type : types)
    number = number << kTypeBits | std::ranges::find(kTypes, type, &std::pair<Type, std::uint32_t>::first)->second;
  return number;
}

std::optional<std::vector<Type>> types_of(std::uint32_t number) {
  std::vector<Type> types;
  for (; number != 0; number >>= kTypeBits) {
    const auto known = std::ranges::find(kTypes, number & ((1U << kTypeBits) - 1), &std::pair<Type, std::uint32_t>::second);
    if (known == kTypes.end()) return std::nullopt;
    types.insert(types.begin(), known->first);
  }
  return types;
}

}  // namespace wsl4::netlink::nft
