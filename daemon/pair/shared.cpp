#include "daemon/pair/shared.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/pair/hash.h"
#include "sync/bytes.h"

namespace wsl4::pair {
namespace {

using netlink::Family;
using netlink::IpAddress;

/// What version 1 began without; 0 bytes where there is none.
constexpr std::size_t kWordSize = 5;

/// An enumeration from 0 to `highest`.
template <class Enum>
Enum read_enum(sync::ByteReader& in, Enum highest) {
  const auto value = in.u8();
  if (value > static_cast<std::uint8_t>(highest)) in.fail();
  return in.ok() ? static_cast<Enum>(value) : Enum{};
}

bool read_bool(sync::ByteReader& in) {
  const auto value = in.u8();
  if (value > 1) in.fail();
  return value == 1;
}

IpAddress read_address(sync::ByteReader& in) {
  const auto family = in.u8();
  if (family != 4 && family != 6) in.fail();
  const auto address = IpAddress::from_bytes(in.bytes(family == 6 ? 16 : 4));
  return address.value_or(IpAddress{});
}

sync::SharedState piece_of(std::uint16_t topic, std::uint32_t version, std::uint64_t digest, std::size_t count,
                           std::string_view text) {
  sync::SharedState piece{topic, {}};
  piece.bytes.reserve(kPieceHeader + text.size());
  sync::ByteWriter out(piece.bytes);
  out.u32(version);
  out.u64(digest);
  out.u8(static_cast<std::uint8_t>(count));
  piece.bytes.insert(piece.bytes.end(), text.begin(), text.end());
  return piece;
}

}  // namespace

std::vector<std::uint8_t> encode(const election::PeerState& state) {
  std::vector<std::uint8_t> bytes;
  sync::ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(state.role));
  out.u8(static_cast<std::uint8_t>(state.offer));
  out.u32(state.claim);
  out.u32(state.grant);
  out.u8(state.healthy ? 1 : 0);
  out.u64(state.ballot.flows);
  out.u8(static_cast<std::uint8_t>(state.ballot.priority));
  out.u8(state.ballot.address.family() == Family::kIpv4 ? 4 : 6);
  out.bytes(state.ballot.address.bytes());
  if (state.word) {
    out.u32(static_cast<std::uint32_t>(state.word->age.count()));
    out.u8(state.word->last ? 1 : 0);
  }
  return bytes;
}

std::optional<election::PeerState> decode(std::span<const std::uint8_t> bytes) {
  sync::ByteReader in(bytes);
  election::PeerState state;
  state.role = read_enum(in, election::Role::kFault);
  state.offer = read_enum(in, election::Offer::kHealth);
  state.claim = in.u32();
  state.grant = in.u32();
  state.healthy = read_bool(in);
  state.ballot.flows = in.u64();
  state.ballot.priority = in.u8();
  state.ballot.address = read_address(in);
  if (in.left() >= kWordSize) {
    state.word.emplace();
    state.word->age = std::chrono::milliseconds(in.u32());
    state.word->last = read_bool(in);
  }
  if (!in.ok()) return std::nullopt;
  return state;
}

tl::expected<std::vector<sync::SharedState>, std::string> split(Document kind, std::uint32_t version, std::string_view text) {
  if (text.size() > kMaxDocument) {
    return tl::make_unexpected(fmt::format("{} bytes are more than the {} that a peer is told", text.size(), kMaxDocument));
  }
  const auto first = static_cast<std::uint16_t>(kFirstDocumentTopic + static_cast<std::size_t>(kind) * kMaxPieces);
  const auto count = std::max<std::size_t>(1, (text.size() + kMaxPiece - 1) / kMaxPiece);
  const auto digest = hash(text);
  std::vector<sync::SharedState> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    const auto topic = static_cast<std::uint16_t>(first + i);
    pieces.push_back(piece_of(topic, version, digest, count, text.substr(i * kMaxPiece, kMaxPiece)));
  }
  return pieces;
}

bool Assembly::Piece::same_text(const Piece& other) const {
  return version == other.version && digest == other.digest && count == other.count;
}

tl::expected<std::optional<WholeDocument>, std::string> Assembly::take(const sync::SharedState& piece) {
  if (piece.topic < kFirstDocumentTopic) return std::nullopt;
  const std::size_t kind = (piece.topic - kFirstDocumentTopic) / kMaxPieces;
  const std::size_t index = (piece.topic - kFirstDocumentTopic) % kMaxPieces;
  if (kind >= kDocuments) return std::nullopt;

  sync::ByteReader in(piece.bytes);
  Piece read{in.u32(), in.u64(), in.u8(), {}};
  if (!in.ok()) return tl::make_unexpected(fmt::format("the piece on topic {} is cut off", piece.topic));
  if (read.count > kMaxPieces || index >= read.count) {
    return tl::make_unexpected(fmt::format("topic {} has piece {} of {}", piece.topic, index + 1, read.count));
  }
  const auto rest = in.bytes(in.left());
  if (rest.size() > kMaxPiece) return tl::make_unexpected(fmt::format("the piece on topic {} is too long", piece.topic));
  read.text.assign(rest.begin(), rest.end());
  auto& pieces = documents_[kind];
  pieces[index] = std::move(read);
  auto text = join(pieces, pieces[index]);
  if (!text) return std::nullopt;
  return WholeDocument{static_cast<Document>(kind), std::move(*text), false};
}

/// The text that `last` belongs to, if all of it is there; its pieces are given up.
std::optional<std::string> Assembly::join(Pieces& pieces, const Piece& last) {
  const auto parts = std::span(pieces).first(last.count);
  if (!std::ranges::all_of(parts, [&](const Piece& one) { return one.same_text(last); })) return std::nullopt;
  const auto digest = last.digest;
  std::string text;
  for (auto& part : parts) text += std::exchange(part, {}).text;
  if (hash(text) != digest) return std::nullopt;
  return text;
}

}  // namespace wsl4::pair
