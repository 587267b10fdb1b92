#include "daemon/util/counted.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace wsl4::util {

std::string human_count(std::uint64_t count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t from_end = 3; from_end < text.size(); from_end += 4) text.insert(text.size() - from_end, 1, ',');
  return text;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", human_count(count), count == 1 ? one : many);
}

std::string listed(std::span<const std::string> names, std::size_t most) {
  auto text = fmt::format("{}", fmt::join(names.first(std::min(names.size(), most)), ", "));
  if (names.size() > most) text += fmt::format(" and {} more", human_count(names.size() - most));
  return text;
}

}  // namespace wsl4::util
