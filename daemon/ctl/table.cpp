#include "daemon/ctl/table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

namespace wsl4::ctl {
namespace {

constexpr std::string_view kGap = "  ";

std::string_view sgr(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "1";
    case Style::kDim:
      return "2";
    case Style::kGood:
      return "32";
    case Style::kWarning:
      return "33";
    case Style::kBad:
      return "31";
  }
  return "";
}

/// In characters: the continuation bytes of UTF-8 take no room.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string styled(std::string_view text, Style style, bool colour) {
  if (!colour || style == Style::kPlain || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", sgr(style), text);
}

Style style_of_state(std::string_view state) {
  const auto is_one_of = [state](const auto&... words) { return ((state == words) || ...); };
  if (is_one_of("up", "active", "standby", "synced", "connected")) return Style::kGood;
  if (is_one_of("down", "fault", "disconnected", "not connected")) return Style::kBad;
  return Style::kWarning;
}

std::string Table::render(std::string_view indent, bool colour) const {
  std::vector<std::vector<Cell>> lines{{}};
  for (const Column& column : columns_) lines.front().push_back({column.title, Style::kDim});
  lines.insert(lines.end(), rows_.begin(), rows_.end());

  std::vector<std::size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i].text));
  }

  std::string text;
  for (const auto& line : lines) {
    std::string row(indent);
    std::size_t owed = 0;  // spaces that are written only if something follows them
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::size_t padding = widths[i] - width_of(line[i].text);
      if (i > 0) owed += kGap.size();
      if (columns_[i].right) owed += padding;
      if (!line[i].text.empty()) {
        row.append(std::exchange(owed, 0), ' ');
        row += styled(line[i].text, line[i].style, colour);
      }
      if (!columns_[i].right) owed += padding;
    }
    text += row + "\n";
  }
  return text;
}

}  // namespace wsl4::ctl
