// An answer as a DNS server may send it: two bytes say what was asked, the rest is the message. What is read of it leads to a
// list of backends within its bounds.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "daemon/discovery/round.h"

namespace {

namespace discovery = wsl4::discovery;
using discovery::RecordType;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_names(const discovery::Answer& answer) {
  for (const auto& service : answer.services) {
    check(service.target.size() <= 255);
    check(discovery::plain_name(service.target) == service.target);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::array kTypes{RecordType::kA, RecordType::kAaaa, RecordType::kSrv};
  const auto type = kTypes[data[0] % kTypes.size()];
  const auto answer = discovery::parse_answer({data + 2, size - 2}, {"a.example", type});
  if (!answer) {
    check(!answer.error().empty());
    return 0;
  }
  check_names(*answer);
  check(!answer->empty() || answer->ttl.count() == 0);

  discovery::Source source{"a.example", {}};
  if (type != RecordType::kSrv) source.port = std::uint16_t{80};
  discovery::Round round(source, {type != RecordType::kAaaa, type == RecordType::kAaaa}, {});
  for (int i = 0; !round.questions().empty(); ++i) {
    check(i <= static_cast<int>(discovery::kMaxPriorities));
    const auto& asked = round.questions();
    discovery::Answer address{{*wsl4::netlink::IpAddress::parse("198.18.0.1")}, {}, std::chrono::seconds(data[1])};
    std::vector<discovery::Reply> replies(asked.size(), i == 0 ? *answer : address);
    round.take(replies);
  }
  const auto found = round.found();
  check(found.selection.backends.size() <= discovery::kMaxBackends);
  check(found.selection.backends.empty() != found.problem.empty());
  return 0;
}
