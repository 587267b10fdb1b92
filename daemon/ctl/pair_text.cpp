#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/ctl/fields.h"
#include "daemon/ctl/table.h"
#include "daemon/ctl/text.h"
#include "daemon/ctl/units.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

std::string line(std::string_view what, std::string_view text) { return fmt::format("  {:<8}  {}\n", what, text); }

std::string state_text(const std::string& state, bool colour) { return styled(state, style_of_state(state), colour); }

std::string election_text(const json::object& ha) {
  std::string text = text_in(ha, "election");
  if (text == "vrrp") text += fmt::format(", priority {}", count_in(ha, "priority"));
  return fmt::format("{}, {}", text, counted(number_in<std::uint64_t>(ha, "transitions"), "role change", "role changes"));
}

std::string peer_text(const json::object& peer, bool colour) {
  std::string text = peer.at("name").is_null() ? "" : text_in(peer, "name") + " at ";
  text += fmt::format("{}, {}", text_in(peer, "address"),
                      state_text(peer.at("connected").as_bool() ? "connected" : "not connected", colour));
  if (!peer.at("role").is_null()) text += ", " + state_text(text_in(peer, "role"), colour);
  return text;
}

/// Counts that are usually 0 are shown if they are not.
std::string sync_text(const json::object& sync, bool colour) {
  std::string text =
      fmt::format("{}, {}, {} pending, lag {:.1f} ms, {} sent, {} received", state_text(text_in(sync, "state"), colour),
                  counted(number_in<std::uint64_t>(sync, "flows"), "flow", "flows"), count_in(sync, "pending"),
                  number_in<double>(sync, "lag_ms"), count_in(sync, "sent"), count_in(sync, "received"));
  const auto resyncs = number_in<std::uint64_t>(sync, "resyncs");
  const auto repairs = number_in<std::uint64_t>(sync, "repairs");
  const auto refused = number_in<std::uint64_t>(sync, "refused");
  if (resyncs != 0) text += ", " + counted(resyncs, "resync", "resyncs");
  if (repairs != 0) text += ", " + styled(human_count(repairs) + " repaired", Style::kWarning, colour);
  if (refused != 0) text += ", " + styled(human_count(refused) + " refused by this kernel", Style::kWarning, colour);
  return text;
}

std::string takeover_text(const json::object& takeover, bool colour) {
  double total = 0;
  std::vector<std::string> phases;
  for (const json::value& value : array_in(takeover, "phases")) {
    const json::object& phase = value.as_object();
    const auto took = number_in<double>(phase, "took_ms");
    const auto text = fmt::format("{} {:.1f} ms", text_in(phase, "step"), took);
    phases.push_back(phase.at("done").as_bool() ? text : styled(text + " (given up)", Style::kBad, colour));
    total += took;
  }
  const std::string plan = text_in(takeover, "plan");
  return phases.empty() ? plan + ", begun" : fmt::format("{}, {:.1f} ms: {}", plan, total, fmt::join(phases, ", "));
}

}  // namespace

std::string pair_text(const json::object& ha, bool colour) {
  if (text_in(ha, "election") == "none") return {};
  std::string text = line("election", election_text(ha)) + line("peer", peer_text(object_in(ha, "peer"), colour)) +
                     line("sync", sync_text(object_in(ha, "sync"), colour));
  const json::value& takeover = ha.at("takeover");
  if (!takeover.is_null()) text += line("takeover", takeover_text(takeover.as_object(), colour));
  return text;
}

}  // namespace wsl4::ctl
