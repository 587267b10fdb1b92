// What a node of a pair must know after a crash. `pair.json` in the state directory, replaced as a whole. The addresses are not in
// it: the kernel marks those that are ours.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "daemon/util/file.h"

namespace wsl4::pair {

struct PairState {
  bool peer_synced = false;      // the peer was connected and synced: it can take over, so a crash gives the addresses up
  bool promoted = false;         // election external, and only there: what an operator said last
  std::int64_t promoted_at = 0;  // and when, in milliseconds of this node's clock; 0: not known
  bool resting = false;          // `wsl4ctl failover` was the last change of roles: this node does not preempt
  friend bool operator==(const PairState&, const PairState&) = default;
};

class PairFile {
 public:
  explicit PairFile(const std::string& directory) : path_(directory + "/pair.json") {}

  /// No file is the default. A broken one is an error, since nobody knows what it said.
  [[nodiscard]] tl::expected<PairState, std::string> load() const;
  [[nodiscard]] tl::expected<void, std::string> save(const PairState& state) const {
    return util::replace_file(path_, content(state));
  }
  /// No file says the default too, and to remove one takes no room: a full disk must not keep one that says that the peer is
  /// synced.
  [[nodiscard]] static util::FileContent content(const PairState& state);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace wsl4::pair
