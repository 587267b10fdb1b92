// What the documents of the state directory have in common: one JSON object with a version.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <tl/expected.hpp>

namespace wsl4::service {

/// The error says what is wrong, without the file's name.
[[nodiscard]] tl::expected<boost::json::object, std::string> read_versioned(std::string_view text, int version);

}  // namespace wsl4::service
