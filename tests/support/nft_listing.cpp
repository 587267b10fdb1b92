#include "tests/support/nft_listing.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>
#include <vector>

namespace wsl4::test {

namespace json = boost::json;

namespace {

/// Handles count whatever was made before, and hash sets list their elements in no order.
void normalise(json::value& value) {
  if (auto* list = value.if_array())
    for (auto& one : *list) normalise(one);
  auto* object = value.if_object();
  if (object == nullptr) return;
  object->erase("handle");
  for (auto& [key, member] : *object) {
    normalise(member);
    if (key == "elem" && member.is_array())
      std::ranges::sort(member.as_array(), {}, [](const json::value& element) { return json::serialize(element); });
  }
}

}  // namespace

std::string nft_listing(const Namespace& where) {
  auto document = json::parse(where.must("nft -j list table inet wsl4"));
  normalise(document);
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& entry : document.at("nftables").as_array()) {
    const auto& [kind, body] = *entry.as_object().begin();
    const auto* name = body.as_object().if_contains(kind == "rule" ? "chain" : "name");
    lines.emplace_back(std::string(kind) + ' ' + (name ? json::serialize(*name) : ""), json::serialize(entry));
  }
  std::ranges::stable_sort(lines, {}, &std::pair<std::string, std::string>::first);
  std::string text;
  for (const auto& [key, line] : lines) text += line + '\n';
  return text;
}

}  // namespace wsl4::test
