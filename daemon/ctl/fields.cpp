#include "daemon/ctl/fields.h"

#include "daemon/ctl/units.h"

namespace wsl4::ctl {

namespace json = boost::json;

const json::object& object_in(const json::object& object, std::string_view key) { return object.at(key).as_object(); }
const json::array& array_in(const json::object& object, std::string_view key) { return object.at(key).as_array(); }

std::string text_in(const json::object& object, std::string_view key) {
  const json::value& value = object.at(key);
  return value.is_null() ? "-" : std::string(value.as_string());
}

std::string count_in(const json::object& object, std::string_view key) {
  return human_count(number_in<std::uint64_t>(object, key));
}

std::string joined(const json::array& texts, std::string_view separator) {
  std::string text;
  for (const json::value& value : texts) {
    if (!text.empty()) text += separator;
    text += std::string_view(value.as_string());
  }
  return text;
}

std::string seconds_in(const json::object& object, std::string_view key) {
  const json::value& value = object.at(key);
  return value.is_null() ? "-" : human_seconds(value.to_number<std::int64_t>());
}

}  // namespace wsl4::ctl
