#include "daemon/http/json.h"

#include <cmath>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include "daemon/http/utf8.h"

namespace wsl4::http {
namespace {

constexpr std::size_t kLineWidth = 100;

class Writer {
 public:
  explicit Writer(JsonLayout layout) : indented_(layout == JsonLayout::kIndented) {}

  void write(const boost::json::value& value, std::size_t depth) {
    if (const auto* object = value.if_object()) {
      write_members('{', '}', *object, depth);
    } else if (const auto* array = value.if_array()) {
      write_members('[', ']', *array, depth);
    } else if (const auto* number = value.if_double()) {
      text_ += std::isfinite(*number) ? fmt::format("{}", *number) : "null";
    } else if (const auto* text = value.if_string()) {
      text_ += boost::json::serialize(boost::json::string(well_formed(*text)));
    } else {
      text_ += boost::json::serialize(value);
    }
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  template <class Container>
  void write_members(char open, char close, const Container& members, std::size_t depth) {
    if (!indented_ || single_line_) return write_list(open, close, members, depth);
    // A container is first tried on one line; what turns out too long is written again, a member a line.
    const std::size_t start = text_.size();
    single_line_ = true;
    write_list(open, close, members, depth);
    single_line_ = false;
    if (text_.size() - start + depth * 2 <= kLineWidth) return;
    text_.resize(start);
    write_list(open, close, members, depth);
  }

  template <class Container>
  void write_list(char open, char close, const Container& members, std::size_t depth) {
    text_ += open;
    bool first = true;
    for (const auto& member : members) {
      if (!first) text_ += ',';
      if (indented_ && !single_line_) {
        new_line(depth + 1);
      } else if (indented_ && !first) {
        text_ += ' ';
      }
      first = false;
      write_member(member, depth + 1);
    }
    if (indented_ && !single_line_ && !first) new_line(depth);
    text_ += close;
  }

  void write_member(const boost::json::value& value, std::size_t depth) { write(value, depth); }
  void write_member(const boost::json::key_value_pair& member, std::size_t depth) {
    text_ += boost::json::serialize(member.key());
    text_ += indented_ ? ": " : ":";
    write(member.value(), depth);
  }
  void new_line(std::size_t depth) {
    text_ += '\n';
    text_.append(depth * 2, ' ');
  }

  bool indented_;
  bool single_line_ = false;
  std::string text_;
};

}  // namespace

std::string to_text(const boost::json::value& value, JsonLayout layout) {
  Writer writer(layout);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace wsl4::http
