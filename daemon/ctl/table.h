// Aligned columns, as wide as what stands in them; colour where the terminal has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wsl4::ctl {

enum class Style : unsigned char { kPlain, kBold, kDim, kGood, kWarning, kBad };

/// `text` in that style (ECMA-48 SGR); as it is without `colour`.
[[nodiscard]] std::string styled(std::string_view text, Style style, bool colour);

/// Of a state as status names it: of a backend, a role, the sync session.
[[nodiscard]] Style style_of_state(std::string_view state);

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

struct Column {
  std::string title;
  bool right = false;  // for figures
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell for each column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  /// Each line starts with `indent` and ends with a newline; no line ends with a space.
  [[nodiscard]] std::string render(std::string_view indent, bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace wsl4::ctl
