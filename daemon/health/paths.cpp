#include "daemon/health/paths.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace wsl4::health {

bool Paths::set_sources(Sources sources) {
  sources_ = sources && !sources->empty() ? std::move(sources) : nullptr;
  const auto gone = [this](const Trouble& trouble) {
    return !sources_ || std::ranges::find(*sources_, trouble.source) == sources_->end();
  };
  std::erase_if(troubles_, gone);
  if (sources_ && std::ranges::find(*sources_, last_) == sources_->end()) last_ = IpAddress();
  if (voters() > 0) return false;
  troubles_.clear();
  return true;
}

std::optional<IpAddress> Paths::next(Lean lean, const Usable& usable) {
  if (!sources_) return IpAddress();
  auto source = recheck(lean, usable);
  if (!source && lean != Lean::kCareful) source = probe(usable);
  if (!source) source = in_turn(lean, usable);
  if (source) last_ = *source;
  return source;
}

std::optional<IpAddress> Paths::recheck(Lean lean, const Usable& usable) const {
  for (const auto& trouble : troubles_) {
    const bool wanted = trouble.urgent() && (lean == Lean::kSettled || (lean == Lean::kInTurn && trouble.excluded));
    if (wanted && trouble.source != last_ && usable(trouble.source)) return trouble.source;
  }
  return std::nullopt;
}

std::optional<IpAddress> Paths::probe(const Usable& usable) {
  if (++since_probe_ < kProbeEvery) return std::nullopt;
  const auto ready = [&](const Trouble& trouble) { return trouble.excluded && usable(trouble.source); };
  const auto place = std::ranges::find_if(troubles_, ready);
  if (place == troubles_.end()) return std::nullopt;
  since_probe_ = 0;
  std::rotate(place, place + 1, troubles_.end());  // the others first next time
  return troubles_.back().source;
}

std::optional<IpAddress> Paths::in_turn(Lean lean, const Usable& usable) {
  const auto& sources = *sources_;
  auto least = std::numeric_limits<int>::max();
  std::size_t chosen = 0;
  for (std::size_t step = 0; step < sources.size() && least > 0; ++step) {
    const auto place = (position_ + step) % sources.size();
    if (!usable(sources[place])) continue;
    const auto reluctant = reluctance(sources[place], lean);
    if (reluctant >= least) continue;
    least = reluctant;
    chosen = place;
  }
  if (least == std::numeric_limits<int>::max()) return std::nullopt;
  position_ = chosen + 1;
  return sources[chosen];
}

// An address without failures may be asked twice in a row where the check says much: that beats one that has failed.
int Paths::reluctance(const IpAddress& source, Lean lean) {
  const auto* trouble = find(source);
  if (trouble != nullptr && trouble->excluded) return 4;
  const int again = source == last_ ? 1 : 0;
  return trouble != nullptr && lean == Lean::kCareful ? 2 + again : again;
}

Paths::Recorded Paths::record(const IpAddress& source, Outcome outcome, Damper::Limits limits) {
  if (!sources_) return {true, false};
  if (source != last_ || source.is_unspecified()) return {false, false};  // the addresses changed meanwhile
  if (outcome == Outcome::kOk) return record_good(source, limits);
  auto& trouble = find_or_add(source);
  trouble.good = 0;
  trouble.failed = outcome != Outcome::kNoVerdict;
  if (!trouble.failed) trouble.bad = 0;
  return {!trouble.excluded, false};
}

Paths::Recorded Paths::record_good(const IpAddress& source, Damper::Limits limits) {
  Recorded recorded{true, false};
  if (auto* trouble = find(source)) {
    recorded.changed = trouble->excluded;
    if (trouble->excluded && ++trouble->good < limits.rise) return {false, false};
    std::erase_if(troubles_, [&](const Trouble& other) { return other.source == source; });
  }
  for (auto& other : troubles_) {
    if (other.excluded || !std::exchange(other.failed, false) || ++other.bad < limits.fall) continue;
    other.excluded = recorded.changed = true;
  }
  return recorded;
}

void Paths::presume(const std::vector<IpAddress>& excluded) {
  if (!sources_) return;
  troubles_.clear();
  std::size_t left = sources_->size();
  for (const auto& source : excluded) {
    if (std::ranges::find(*sources_, source) == sources_->end()) continue;
    troubles_.push_back(Trouble{.source = source, .excluded = true});
    --left;
  }
  if (left == 0) troubles_.clear();
}

void Paths::acquit() {
  for (auto& trouble : troubles_) trouble.failed = false;
}

std::vector<IpAddress> Paths::excluded() const {
  std::vector<IpAddress> result;
  for (const auto& trouble : troubles_)
    if (trouble.excluded) result.push_back(trouble.source);
  std::ranges::sort(result);
  return result;
}

std::size_t Paths::voters() const {
  if (!sources_) return 1;
  const auto out = std::ranges::count_if(troubles_, [](const Trouble& trouble) { return trouble.excluded; });
  return sources_->size() - static_cast<std::size_t>(out);
}

bool Paths::urgent(const Usable& usable) const {
  return std::ranges::any_of(troubles_, [&](const Trouble& trouble) { return trouble.urgent() && usable(trouble.source); });
}

Paths::Trouble* Paths::find(const IpAddress& source) {
  const auto place = std::ranges::find(troubles_, source, &Trouble::source);
  return place == troubles_.end() ? nullptr : &*place;
}

Paths::Trouble& Paths::find_or_add(const IpAddress& source) {
  if (auto* trouble = find(source)) return *trouble;
  const auto suspect = [](const Trouble& trouble) { return !trouble.excluded; };
  if (static_cast<std::size_t>(std::ranges::count_if(troubles_, suspect)) >= kMaxSuspects)
    troubles_.erase(std::ranges::find_if(troubles_, suspect));
  troubles_.push_back(Trouble{.source = source});
  return troubles_.back();
}

}  // namespace wsl4::health
