// The documents that a node of a pair shares (pair/shared.h), as texts: what the active publishes, and what has come. Control
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "daemon/pair/shared.h"

namespace wsl4::pair {

class Sharing {
 public:
  /// To the session, which keeps the peer up to date over connections.
  using Publish = std::function<void(sync::SharedState piece)>;

  explicit Sharing(Publish publish) : publish_(std::move(publish)) {}

  /// What is too long is not sent, and the log says so.
  void publish(Document kind, std::string_view text);
  /// The document that this piece of the peer's completes.
  [[nodiscard]] std::optional<WholeDocument> take(const sync::SharedState& piece);

 private:
  Publish publish_;
  std::array<std::uint32_t, kDocuments> versions_{};
  Assembly assembly_;
};

}  // namespace wsl4::pair
