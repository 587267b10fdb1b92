// Single values as the API's JSON has them.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace wsl4::control {

// Figures are rounded to what they mean: a rate to tenths, a share to millionths.
inline constexpr double kTenths = 10;
inline constexpr double kThousandths = 1e3;
inline constexpr double kMillionths = 1e6;
inline double round_to(double value, double parts) { return std::round(value * parts) / parts; }

inline boost::json::value text_or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return boost::json::string(text);
}

inline boost::json::array to_array(const std::vector<std::string>& texts) { return boost::json::array(texts.begin(), texts.end()); }

}  // namespace wsl4::control
