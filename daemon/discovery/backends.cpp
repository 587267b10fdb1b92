#include "daemon/discovery/backends.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "daemon/config/text.h"

namespace wsl4::discovery {
namespace {

bool is_heavier_or_before(const Candidate& one, const Candidate& two) {
  return std::tie(one.address, two.weight, one.host) < std::tie(two.address, one.weight, two.host);
}

void sort_and_deduplicate(std::vector<Candidate>& candidates) {
  std::erase_if(candidates, [](const Candidate& candidate) {
    return candidate.address.port == 0 || !config::is_forwardable(candidate.address.address);
  });
  std::sort(candidates.begin(), candidates.end(), is_heavier_or_before);
  const auto same = [](const Candidate& one, const Candidate& two) { return one.address == two.address; };
  candidates.erase(std::unique(candidates.begin(), candidates.end(), same), candidates.end());
}

int scale(unsigned weight, unsigned heaviest) {
  const unsigned most = kMaxWeight;
  if (heaviest > most) weight = static_cast<unsigned>((std::uint64_t{weight} * most + heaviest / 2) / heaviest);
  return static_cast<int>(std::clamp(weight, 1U, most));
}

}  // namespace

Selection select_backends(std::vector<Candidate> candidates) {
  sort_and_deduplicate(candidates);
  Selection selection;
  if (candidates.size() > kMaxBackends) {
    selection.cut = candidates.size() - kMaxBackends;
    candidates.resize(kMaxBackends);
  }
  unsigned heaviest = 0;
  std::map<std::string, int> addresses;  // of each host
  for (const Candidate& candidate : candidates) {
    heaviest = std::max(heaviest, candidate.weight);
    ++addresses[candidate.host];
  }
  for (Candidate& candidate : candidates) {
    const bool named = !candidate.host.empty() && candidate.host.size() <= kMaxName && addresses[candidate.host] == 1;
    auto name = named ? std::move(candidate.host) : candidate.address.to_string();
    selection.backends.push_back({candidate.address, scale(candidate.weight, heaviest), std::move(name)});
  }
  return selection;
}

}  // namespace wsl4::discovery
