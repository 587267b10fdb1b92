// Any text as the body of a change and as the file of changes: what is read is within its bounds and reads the same again, what is
// refused says why on lines of text.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/control/body.h"
#include "daemon/service/overlay_json.h"

namespace {

namespace control = wsl4::control;
namespace service = wsl4::service;

void check(bool holds) {
  if (!holds) std::abort();
}

/// Problems that nobody could know without the name and the present state are left to the overlay.
template <class T>
bool is_read(const control::Outcome<T>& outcome) {
  if (outcome) return true;
  check(outcome.error().http_status == 400 || outcome.error().http_status == 422);
  check(!outcome.error().details.empty());
  for (const auto& detail : outcome.error().details) check(!detail.empty() && detail.find('\n') == std::string::npos);
  return false;
}

void check_bodies(const std::string& text) {
  if (const auto add = control::parse_add(text); is_read(add)) check(service::problems_of("b1", *add).empty());
  if (const auto edit = control::parse_edit(text); is_read(edit)) check(service::problems_of("b1", *edit).size() <= 1);
  if (const auto rate = control::parse_rebalance(text); is_read(rate)) check(*rate <= service::kMaxRate);
}

void check_file(const std::string& text) {
  const auto overlay = service::parse_overlay(text, "f");
  if (!overlay) return check(overlay.error().starts_with("f is broken ("));
  const auto again = service::parse_overlay(service::to_text(*overlay), "f");
  check(again && again->changes() == overlay->changes() && again->versions() == overlay->versions());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_bodies(text);
  check_file(text);
  return 0;
}
