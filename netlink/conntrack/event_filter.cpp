#include "netlink/conntrack/event_filter.h"

#include <sys/socket.h>

#include <vector>

#include <linux/filter.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

namespace wsl4::netlink::conntrack {

namespace {

// The socket sees one message per packet: nlmsghdr, nfgenmsg, attributes. Filter loads are big-endian, as ctnetlink's values are.
constexpr std::uint32_t kFirstAttribute = sizeof(nlmsghdr) + sizeof(nfgenmsg);
constexpr std::uint32_t kValue = sizeof(nlattr);  // from an attribute to its value
constexpr auto kFind = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR);

sock_filter statement(int code, std::uint32_t k) { return {static_cast<std::uint16_t>(code), 0, 0, k}; }
sock_filter jump(int code, std::uint32_t k, std::uint8_t if_true, std::uint8_t if_false) {
  return {static_cast<std::uint16_t>(code), if_true, if_false, k};
}

class Program {
 public:
  /// A := where the attribute `type` stands; drops the message if it is missing.
  Program& find(std::uint32_t type) {
    add(statement(BPF_LD | BPF_IMM, kFirstAttribute));
    add(statement(BPF_LDX | BPF_IMM, type));
    add(statement(BPF_LD | BPF_B | BPF_ABS, kFind));
    add(jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
    return add(statement(BPF_RET | BPF_K, 0));
  }
  /// A := the value of the attribute that A stands at; 32 bits.
  Program& load_value() { return add(statement(BPF_MISC | BPF_TAX, 0)).add(statement(BPF_LD | BPF_W | BPF_IND, kValue)); }
  Program& add(sock_filter instruction) {
    code_.push_back(instruction);
    return *this;
  }
  [[nodiscard]] std::vector<sock_filter>& code() { return code_; }

 private:
  std::vector<sock_filter> code_;
};

std::vector<sock_filter> build(const EventOptions& options) {
  const auto accept = statement(BPF_RET | BPF_K, 0xffffffff);
  const auto drop = statement(BPF_RET | BPF_K, 0);
  Program program;
  if (options.mark_any != 0) {
    program.find(CTA_MARK).load_value().add(jump(BPF_JMP | BPF_JSET | BPF_K, options.mark_any, 1, 0)).add(drop);
  }
  program.add(accept);
  return std::move(program.code());
}

}  // namespace

Result<void> attach_event_filter(int fd, const EventOptions& options) {
  auto code = build(options);
  const sock_fprog program{static_cast<std::uint16_t>(code.size()), code.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return failure_from_errno("attach conntrack event filter");
  return {};
}

}  // namespace wsl4::netlink::conntrack
