#include <algorithm>
#include <cstring>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "netlink/message.h"
#include "netlink/nft/nftables.h"
#include "netlink/socket.h"

namespace wsl4::netlink::nft {

namespace {

constexpr std::size_t kEventBuffer = 8U << 20;

/// Every object's first attribute is its table's name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE,
/// NFTA_SET_ELEM_LIST_TABLE, NFTA_OBJ_TABLE are all 1).
bool is_of_table(ByteSpan payload, const std::string& table) {
  if (payload.size() < sizeof(nfgenmsg)) return false;
  AttributeReader attributes(payload.subspan(sizeof(nfgenmsg)));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == NFTA_TABLE_NAME)
      return std::string(attribute->value.begin(), std::ranges::find(attribute->value, 0)) == table;
  }
  return false;
}

/// The port of whoever caused the first message of `datagram`.
std::uint32_t cause_of(ByteSpan datagram) {
  nlmsghdr header{};
  std::memcpy(&header, datagram.data(), std::min(sizeof header, datagram.size()));
  return header.nlmsg_pid;
}

}  // namespace

struct Monitor::Impl {
  Socket socket;
  std::string table;
  std::uint32_t own_port_id;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(1U << 16);
};

Monitor::Monitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;
Monitor::~Monitor() = default;

Result<Monitor> Monitor::open(std::string table, std::uint32_t own_port_id) {
  SocketOptions options;
  options.bus = NETLINK_NETFILTER;
  options.groups = {NFNLGRP_NFTABLES};
  options.non_blocking = true;
  options.receive_buffer = kEventBuffer;
  auto socket = Socket::open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  return Monitor(std::make_unique<Impl>(Impl{std::move(*socket), std::move(table), own_port_id}));
}

int Monitor::fd() const { return impl_->socket.fd(); }

Result<Changes> Monitor::drain() {
  Changes changes;
  for (;;) {
    const auto received = impl_->socket.receive(impl_->buffer);
    if (!received) return tl::make_unexpected(received.error());
    if (received->kind == Received::Kind::kNothing) return changes;
    if (received->kind == Received::Kind::kOverrun) {
      changes.overrun = true;
      continue;
    }
    // One commit's messages come together and have one cause.
    if (cause_of(received->data) == impl_->own_port_id) continue;
    MessageReader messages(received->data);
    while (const auto message = messages.next()) {
      const bool is_generation = (message->type & 0xff) == NFT_MSG_NEWGEN;
      if (!is_generation && is_of_table(message->payload, impl_->table)) changes.foreign_change = true;
    }
  }
}

}  // namespace wsl4::netlink::nft
