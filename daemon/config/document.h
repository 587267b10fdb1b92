// A TOML text as a plain tree with the place of everything in it, and paths into that tree. The only face of the TOML library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::config {

/// 1-based, columns in characters; 0 means unknown.
struct Position {
  std::uint32_t line = 0, column = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Item;
struct Entry;
struct List {
  std::vector<Item> items;
};
struct Table {
  std::vector<Entry> entries;  // sorted by key, which TOML makes unique

  [[nodiscard]] const Entry* find(std::string_view key) const;
};
/// Dates and times, which no setting takes.
struct Moment {};

struct Item {
  Position at;  // of the value; of a table its header
  std::variant<bool, std::int64_t, double, std::string, Moment, List, Table> value;

  /// "a string", "an integer", …
  [[nodiscard]] std::string_view kind() const;
};
struct Entry {
  std::string key;
  Position at;  // of the key
  Item item;
};

struct SyntaxError {
  Position at;
  std::string what;
};

/// Text longer than this is refused: nobody's configuration, but a wrong file (10,000 services take about 3 MiB).
inline constexpr std::size_t kMaxDocumentSize = 64UL << 20;

/// The whole text; of broken syntax the first error only.
[[nodiscard]] tl::expected<Table, SyntaxError> parse_document(std::string_view text);

/// Names one item of a document: keys and 0-based indices, "service[0].backend[1].weight".
class KeyPath {
 public:
  /// A key, or an index into a list.
  struct Step {
    Step(std::string key_of_table) : key(std::move(key_of_table)) {}
    Step(const char* key_of_table) : key(key_of_table) {}
    Step(std::size_t index_of_list) : index(index_of_list), is_index(true) {}
    std::string key;
    std::size_t index = 0;
    bool is_index = false;
    friend bool operator==(const Step&, const Step&) = default;
  };
  KeyPath() = default;
  KeyPath(std::initializer_list<Step> steps) : steps_(steps) {}

  void push(Step step) { steps_.push_back(std::move(step)); }
  void pop() { steps_.pop_back(); }
  [[nodiscard]] KeyPath operator/(Step step) const;
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Keys that are not bare TOML keys are shown in quotes.
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const KeyPath&, const KeyPath&) = default;

 private:
  std::vector<Step> steps_;
};

/// Where `path` stands: its value, or (`key`) its key. What is not there stands where its table does.
[[nodiscard]] Position locate(const Table& document, const KeyPath& path, bool key);

/// `text` in double quotes on one line: control characters escaped, cut after 80 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace wsl4::config
