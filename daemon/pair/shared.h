// What the nodes of a pair tell each other over the session's topics: the state of the election, and whole documents, in pieces
// where one topic does not hold them. docs/wire-format.md has the bytes. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/election/peer_state.h"
#include "sync/wire.h"

namespace wsl4::pair {

inline constexpr std::uint16_t kElectionTopic = 1;

/// `state.ballot.priority` is 0-255, as adverts have it.
[[nodiscard]] std::vector<std::uint8_t> encode(const election::PeerState& state);
/// nullopt: nobody's state. What follows the known fields is a later version's, and left out.
[[nodiscard]] std::optional<election::PeerState> decode(std::span<const std::uint8_t> bytes);

enum class Document : std::uint8_t {
  kOverlay,  // what was changed at run time, as JSON
  kJoined,   // backends that joined, as JSON
  kHealth,   // verdicts of the active's checks
};
inline constexpr std::size_t kDocuments = 3;

/// Each document has so many topics, one behind the other, from the first one on.
inline constexpr std::uint16_t kFirstDocumentTopic = 8;
inline constexpr std::size_t kMaxPieces = 16;
inline constexpr std::size_t kPieceHeader = 13;
inline constexpr std::size_t kMaxPiece = sync::kMaxSharedState - kPieceHeader;
inline constexpr std::size_t kMaxDocument = kMaxPieces * kMaxPiece;

/// The pieces to publish. `version` differs from that of the text before. The error says how long the text is and how long it may
/// be.
[[nodiscard]] tl::expected<std::vector<sync::SharedState>, std::string> split(Document kind, std::uint32_t version,
                                                                              std::string_view text);

struct WholeDocument {
  Document kind = Document::kOverlay;
  std::string text;
  bool from_active = false;  // the node that sent it was active then; pieces do not tell
  friend bool operator==(const WholeDocument&, const WholeDocument&) = default;
};

/// Puts documents together again. Of each topic the last piece counts, so pieces may come in any order, and those of a new text may
/// come between those of an old one; only pieces of one text make a document. One that is sent again is yielded again. Holds
/// at most kDocuments of kMaxDocument bytes.
class Assembly {
 public:
  /// The document that this piece completes, if it does; of other topics none. The error says what is wrong with the piece, which
  /// is left out.
  [[nodiscard]] tl::expected<std::optional<WholeDocument>, std::string> take(const sync::SharedState& piece);

 private:
  struct Piece {
    std::uint32_t version = 0;
    std::uint64_t digest = 0;  // of the whole text
    std::uint8_t count = 0;    // of the text's pieces; 0: none has come
    std::string text;
    [[nodiscard]] bool same_text(const Piece& other) const;
  };
  using Pieces = std::array<Piece, kMaxPieces>;

  static std::optional<std::string> join(Pieces& pieces, const Piece& last);

  std::array<Pieces, kDocuments> documents_;
};

}  // namespace wsl4::pair
