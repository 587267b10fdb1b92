// Members of the daemon's JSON answers. All throw boost::system::system_error or std::exception where one is missing or another
// kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace wsl4::ctl {

[[nodiscard]] const boost::json::object& object_in(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::array& array_in(const boost::json::object& object, std::string_view key);

template <class T>
[[nodiscard]] T number_in(const boost::json::object& object, std::string_view key) {
  return object.at(key).to_number<T>();
}

// As text for people; null is "-".
[[nodiscard]] std::string text_in(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::string count_in(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::string seconds_in(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::string joined(const boost::json::array& texts, std::string_view separator);

}  // namespace wsl4::ctl
