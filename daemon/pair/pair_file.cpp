#include "daemon/pair/pair_file.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "daemon/service/stored_document.h"

namespace wsl4::pair {
namespace {

namespace json = boost::json;
constexpr int kVersion = 1;

/// False where there is no such member; the error says what is wrong.
tl::expected<bool, std::string> flag(const json::object& document, std::string_view name) {
  const auto* const value = document.if_contains(name);
  if (value == nullptr) return false;
  if (!value->is_bool()) return tl::make_unexpected(fmt::format("{} is neither true nor false", name));
  return value->get_bool();
}

tl::expected<PairState, std::string> from_json(std::string_view text) {
  const auto document = service::read_versioned(text, kVersion);
  if (!document) return tl::make_unexpected(document.error());
  const auto synced = flag(*document, "peer_synced");
  if (!synced) return tl::make_unexpected(synced.error());
  const auto promoted = flag(*document, "promoted");
  if (!promoted) return tl::make_unexpected(promoted.error());
  const auto resting = flag(*document, "resting");
  if (!resting) return tl::make_unexpected(resting.error());
  const auto* const promoted_at = document->if_contains("promoted_at");
  if (promoted_at != nullptr && !promoted_at->is_int64()) return tl::make_unexpected(std::string("promoted_at is no number"));
  return PairState{*synced, *promoted, promoted_at != nullptr ? promoted_at->get_int64() : 0, *resting};
}

}  // namespace

tl::expected<PairState, std::string> PairFile::load() const {
  std::error_code unknown;
  if (!std::filesystem::exists(path_, unknown) && !unknown) return PairState{};
  const auto text = util::read_file(path_);
  if (!text) return tl::make_unexpected(text.error());
  auto state = from_json(*text);
  if (!state) return tl::make_unexpected(fmt::format("{} is broken ({}): remove it", path_, state.error()));
  return *state;
}

util::FileContent PairFile::content(const PairState& state) {
  const json::object document{{"version", kVersion},
                              {"peer_synced", state.peer_synced},
                              {"promoted", state.promoted},
                              {"promoted_at", state.promoted_at},
                              {"resting", state.resting}};
  return {json::serialize(document) + "\n", state == PairState{}};
}

}  // namespace wsl4::pair
