// Any bytes may be handed to the conntrack parser; what it accepts can be sent again and read back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "netlink/conntrack/messages.h"
#include "netlink/conntrack/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wsl4::netlink;
  const auto flow = conntrack::parse_flow({data, size});
  if (!flow) return 0;
  MessageWriter writer;
  conntrack::write_insert(writer, *flow, 1);
  MessageReader reader(writer.bytes());
  const auto message = reader.next();
  if (!message) std::abort();
  const auto again = conntrack::parse_flow(message->payload);
  if (!again || again->original != flow->original || again->mark != flow->mark) std::abort();
  return 0;
}
