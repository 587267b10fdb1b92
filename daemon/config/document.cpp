#include "daemon/config/document.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace wsl4::config {
namespace {

Position position_of(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }

Item convert(const toml::node& node);

Table convert_table(const toml::table& table) {
  Table out;
  out.entries.reserve(table.size());
  for (const auto& [key, node] : table) {
    out.entries.push_back({std::string(key.str()), position_of(key.source()), convert(node)});
  }
  return out;
}

List convert_list(const toml::array& array) {
  List out;
  out.items.reserve(array.size());
  for (const auto& node : array) out.items.push_back(convert(node));
  return out;
}

Item convert(const toml::node& node) {
  const Position at = position_of(node.source());
  if (const auto* table = node.as_table()) return {at, convert_table(*table)};
  if (const auto* array = node.as_array()) return {at, convert_list(*array)};
  if (const auto* text = node.as_string()) return {at, text->get()};
  if (const auto* integer = node.as_integer()) return {at, integer->get()};
  if (const auto* boolean = node.as_boolean()) return {at, boolean->get()};
  if (const auto* number = node.as_floating_point()) return {at, number->get()};
  return {at, Moment{}};
}

bool is_bare(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; }

std::string escaped(char c) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(c)); }

/// The library quotes what it saw as it is.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) out += is_control(c) ? escaped(c) : std::string(1, c);
  return out;
}

/// The TOML library bounds the depth of values, but not of keys: a.a.a.… would be tables in tables until the stack ends.
constexpr int kMaxKeyDots = 8;

/// Where a string that opens at `at` ends, behind its quotes.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
  const bool long_form = text.substr(at, 3) == three;
  const std::string_view end = long_form ? three : three.substr(0, 1);
  for (at += end.size(); at < text.size(); ++at) {
    if (text.substr(at, end.size()) == end) return at + end.size();
    if (text[at] == '\n' && !long_form) return at;
    if (text[at] == '\\' && quote == '"') ++at;
  }
  return text.size();
}

/// Keeps step with the library only as far as the text is valid TOML; the library stops there too.
std::optional<SyntaxError> find_deep_key(std::string_view text) {
  std::uint32_t line = 1;
  int dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      const auto end = skip_string(text, at);
      line += static_cast<std::uint32_t>(
          std::count(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      at = end;
    } else {
      if (c == '\n') ++line;
      if (c == '.') ++dots;
      if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos) dots = 0;
      if (dots > kMaxKeyDots) return SyntaxError{{line, 1}, fmt::format("a key has too many parts (at most {})", kMaxKeyDots + 1)};
      ++at;
    }
  }
  return std::nullopt;
}

}  // namespace

const Entry* Table::find(std::string_view key) const {
  const auto found = std::lower_bound(entries.begin(), entries.end(), key,
                                      [](const Entry& entry, std::string_view name) { return entry.key < name; });
  return found != entries.end() && found->key == key ? &*found : nullptr;
}

std::string_view Item::kind() const {
  static constexpr std::array<std::string_view, 7> kKinds = {"a boolean",      "an integer", "a fraction", "a string",
                                                             "a date or time", "a list",     "a table"};
  return kKinds[value.index()];
}

tl::expected<Table, SyntaxError> parse_document(std::string_view text) {
  if (text.size() > kMaxDocumentSize) return tl::make_unexpected(SyntaxError{{}, "is too large (at most 64 MiB)"});
  if (auto deep = find_deep_key(text)) return tl::make_unexpected(std::move(*deep));
  try {
    return convert_table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return tl::make_unexpected(SyntaxError{position_of(error.source()), "not valid TOML: " + on_one_line(error.description())});
  }
}

KeyPath KeyPath::operator/(Step step) const {
  KeyPath longer = *this;
  longer.push(std::move(step));
  return longer;
}

std::string KeyPath::to_string() const {
  std::string out;
  for (const Step& step : steps_) {
    if (step.is_index) {
      out += fmt::format("[{}]", step.index);
    } else {
      if (!out.empty()) out += '.';
      out += is_bare(step.key) ? step.key : in_quotes(step.key);
    }
  }
  return out;
}

Position locate(const Table& document, const KeyPath& path, bool key) {
  const Table* table = &document;
  const List* list = nullptr;
  Position at;
  for (const auto& step : path.steps()) {
    const Item* item = nullptr;
    if (step.is_index) {
      if (list == nullptr || step.index >= list->items.size()) return at;
      item = &list->items[step.index];
      at = item->at;
    } else {
      const Entry* entry = table == nullptr ? nullptr : table->find(step.key);
      if (entry == nullptr) return at;
      item = &entry->item;
      at = key && &step == &path.steps().back() ? entry->at : item->at;
    }
    table = std::get_if<Table>(&item->value);
    list = std::get_if<List>(&item->value);
  }
  return at;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // Never in the middle of a UTF-8 sequence.
    if (i >= kShown && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) return out + "…\"";
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c)) {
      out += escaped(c);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace wsl4::config
