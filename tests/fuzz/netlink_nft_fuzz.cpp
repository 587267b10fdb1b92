// Any bytes may be handed to the decoders of nf_tables listings; whatever they take for a table can be encoded again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "netlink/nft/accept_rule.h"
#include "netlink/nft/batch.h"
#include "netlink/nft/decode.h"
#include "netlink/nft/userdata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsl4::netlink::nft;
  if (size < 1) return 0;
  const wsl4::netlink::ByteSpan payload(data + 1, size - 1);
  Table table;
  table.name = "wsl4";
  table.chains["input"];
  table.sets["m"].key = {Type::kSlot};
  std::map<std::string, CounterValue> values;
  switch (data[0] % 8) {
    case 0:
      decode_table(payload, table);
      break;
    case 1:
      decode_chain(payload, table);
      break;
    case 2:
      decode_set(payload, table);
      break;
    case 3:
      decode_elements(payload, table);
      break;
    case 4:
      decode_object(payload, table, values);
      break;
    case 5:
      decode_rule(payload, table);
      break;
    case 7:
      static_cast<void>(accepts_translated(payload));
      break;
    default: {
      const auto rule = read_rule(payload, {"a", "b"});
      if (!rule) break;
      const auto again = read_rule(rule_userdata(*rule), {"a", "b"});
      if (!again || again->statements != rule->statements) std::abort();
    }
  }
  const auto build = build_table(table);
  if (encode_batch(build, 1).operations.size() < build.operations().size()) std::abort();
  return 0;
}
