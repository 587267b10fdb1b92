// The ctnetlink requests that this library sends (kernel net/netfilter/nf_conntrack_netlink.c), written into a MessageWriter.
// Each call adds one finished message.
#pragma once

#include <cstdint>

#include "netlink/conntrack/conntrack.h"
#include "netlink/message.h"

namespace wsl4::netlink::conntrack {

/// All entries of both families that match; answered by a multipart message.
void write_dump(MessageWriter& out, MarkFilter filter, std::uint32_t sequence);

/// Asks for the entry with the flow's original tuple. ENOENT if there is none.
void write_find(MessageWriter& out, const Flow& flow, std::uint32_t sequence);

/// The number of entries, acknowledged: succeeds wherever the subsystem may be used at all.
void write_statistics(MessageWriter& out, std::uint32_t sequence);

/// Deletes the entry with the flow's original tuple, and with its id where that is not 0. ENOENT if there is none.
void write_erase(MessageWriter& out, const Flow& flow, std::uint32_t sequence);

/// Deletes the entry with the flow's reply tuple. ENOENT if there is none.
void write_erase_by_reply(MessageWriter& out, const Flow& flow, std::uint32_t sequence);

/// Sets the remaining time of the entry with the flow's original tuple. ENOENT if there is none.
void write_timeout(MessageWriter& out, const Flow& flow, std::uint32_t sequence);
/// Sets these bits of its mark to those of the flow's. ENOENT if there is none.
void write_mark(MessageWriter& out, const Flow& flow, std::uint32_t mask, std::uint32_t sequence);
/// As `write_timeout`, and these bits of its mark, and TIME_WAIT of a TCP flow.
void write_closed(MessageWriter& out, const Flow& flow, std::uint32_t mark_bits, std::uint32_t sequence);

/// Creates the entry, which must not exist (EEXIST). What has to be in it and why: kernel.md 3.1.
void write_insert(MessageWriter& out, const Flow& flow, std::uint32_t sequence);

}  // namespace wsl4::netlink::conntrack
