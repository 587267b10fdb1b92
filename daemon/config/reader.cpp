#include "daemon/config/reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/config/suggest.h"

namespace wsl4::config {
namespace {

std::vector<std::string_view> words_of(const Section& section) {
  std::vector<std::string_view> words;
  for (const Setting& setting : section.settings) words.push_back(setting.key);
  for (const Section* inner : section.sections) words.push_back(inner->name);
  return words;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

class Reader {
 public:
  explicit Reader(Findings& findings) : findings_(findings) { target_.draft = &draft_; }

  Draft read(const Table& document) {
    read_table(schema(), document);
    return std::move(draft_);
  }

 private:
  void tell(std::string what, bool at_key = false) { findings_.push_back({path_, std::move(what), at_key}); }

  void read_table(const Section& section, const Table& table) {
    for (const Entry& entry : table.entries) {
      path_.push(entry.key);
      if (const Setting* setting = section.setting(entry.key)) {
        read_setting(*setting, entry.item);
      } else if (const Section* inner = section.section(entry.key)) {
        read_section(*inner, entry.item);
      } else {
        tell_unknown(section, entry.key);
      }
      path_.pop();
    }
    for (const Setting& setting : section.settings) {
      if (setting.required && table.find(setting.key) == nullptr) tell_missing(setting);
    }
  }

  void tell_unknown(const Section& section, std::string_view key) {
    const auto words = words_of(section);
    const auto meant = nearest(key, words);
    tell(meant.empty() ? fmt::format("unknown setting (here: {})", joined(words))
                       : fmt::format("unknown setting (did you mean {}?)", meant),
         true);
  }

  void tell_missing(const Setting& setting) {
    path_.push(std::string(setting.key));
    tell(fmt::format("is missing ({})", allowed(setting)));
    path_.pop();
  }

  void read_section(const Section& section, const Item& item) {
    if (section.repeated) return read_repeated(section, item);
    const auto* table = std::get_if<Table>(&item.value);
    if (table == nullptr) return tell(fmt::format("is {}, must be one table (write [{}])", item.kind(), written_name()));
    enter_and_read(section, *table);
  }

  void read_repeated(const Section& section, const Item& item) {
    const auto must_be = [&](std::string_view kind) {
      tell(fmt::format("is {}, must be a list of tables (write [[{}]])", kind, written_name()));
    };
    const auto* list = std::get_if<List>(&item.value);
    if (list == nullptr) return must_be(item.kind());
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      path_.push(i);
      if (const auto* table = std::get_if<Table>(&list->items[i].value)) {
        enter_and_read(section, *table);
      } else {
        must_be(list->items[i].kind());
      }
      path_.pop();
    }
  }

  void enter_and_read(const Section& section, const Table& table) {
    if (section.enter != nullptr) section.enter(target_);
    read_table(section, table);
  }

  /// The present path as a table's header has it: without indices.
  [[nodiscard]] std::string written_name() const {
    KeyPath keys;
    for (const auto& step : path_.steps()) {
      if (!step.is_index) keys.push(step);
    }
    return keys.to_string();
  }

  void read_setting(const Setting& setting, const Item& item) {
    if (!setting.list) return read_item(setting, item);
    const auto* list = std::get_if<List>(&item.value);
    if (list == nullptr) return tell(fmt::format("is {}, must be a list (each {})", item.kind(), allowed(setting)));
    if (list->items.empty() && setting.required) return tell(fmt::format("is empty (at least one, {})", allowed(setting)));
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      path_.push(i);
      read_item(setting, list->items[i]);
      path_.pop();
    }
  }

  void read_item(const Setting& setting, const Item& item) {
    const auto value = read_value(setting, item);
    if (!value) tell_wrong(setting, item, value.error());
    setting.field.store(target_, value ? *value : Value{});
  }

  void tell_wrong(const Setting& setting, const Item& item, const std::string& what) {
    const auto* text = std::get_if<std::string>(&item.value);
    std::string_view meant;
    if (text != nullptr && !setting.choices.empty()) {
      std::vector<std::string_view> words;
      for (const Choice& choice : setting.choices) words.push_back(choice.word);
      meant = nearest(*text, words);
    }
    const auto hint = meant.empty() ? std::string() : fmt::format("; did you mean {}?", meant);
    tell(fmt::format("{} ({}{})", what, allowed(setting), hint));
  }

  Draft draft_;
  Target target_;
  KeyPath path_;
  Findings& findings_;
};

}  // namespace

Draft read_draft(const Table& document, Findings& findings) { return Reader(findings).read(document); }

}  // namespace wsl4::config
