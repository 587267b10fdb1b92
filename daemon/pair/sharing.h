// The documents that a node of a pair shares (pair/shared.h), as texts: what the active publishes, and what has come. Control
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/pair/shared.h"

namespace wsl4::pair {

class Sharing {
 public:
  /// To the session, which keeps the peer up to date over connections.
  using Publish = std::function<void(sync::SharedState piece)>;

  /// `told`: of a document that is too long, when it has become so.
  using Told = std::function<void(std::string problem)>;

  Sharing(Publish publish, Told told) : publish_(std::move(publish)), told_(std::move(told)) {}

  /// What is too long is not sent.
  void publish(Document kind, std::string_view text);
  /// A sentence for each document that was not sent when it was last published.
  [[nodiscard]] std::vector<std::string> problems() const;
  /// The document that this piece of the peer's, which is active or not, completes.
  [[nodiscard]] std::optional<WholeDocument> take(const sync::SharedState& piece, bool from_active);

 private:
  Publish publish_;
  Told told_;
  std::array<std::string, kDocuments> problems_;
  std::array<std::uint32_t, kDocuments> versions_{};
  Assembly assembly_;
};

}  // namespace wsl4::pair
