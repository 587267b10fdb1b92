#include "daemon/service/overlay.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "daemon/config/suggest.h"
#include "daemon/service/layers.h"

namespace wsl4::service {
namespace {

using Kind = ChangeError::Kind;
using Result = tl::expected<Applied, ChangeError>;

const ChangedService kNoChanges;

tl::unexpected<ChangeError> refuse(Kind kind, std::string problem) {
  return tl::make_unexpected(ChangeError{kind, {std::move(problem)}});
}

template <class Named>
tl::unexpected<ChangeError> unknown(const std::string& text, const std::string& name, const std::vector<Named>& known) {
  std::vector<std::string_view> words;
  words.reserve(known.size());
  for (const auto& one : known) words.push_back(one.name);
  const auto meant = config::nearest(name, words);
  return refuse(Kind::kNotFound, meant.empty() ? text : fmt::format("{}; did you mean {}?", text, meant));
}

/// Drops what the file says too.
void simplify(ChangedBackend& change, const config::Backend* own) {
  if (change.added && own != nullptr && *change.added == *own) change.added.reset();
  const auto* base = change.added ? &*change.added : own;
  if (base == nullptr) return;
  if (change.weight == base->weight) change.weight.reset();
  if (change.max_connections == base->max_connections) change.max_connections.reset();
}

/// What can be asked of a backend that was removed, too: its connections to go, and how fast.
bool only_drains(const EditBackend& edit) {
  return edit.state == AdminState::kDraining && !edit.weight && !edit.max_connections && !edit.connections;
}

/// One change on its way: the service as it is now, and what will be remembered of the backend.
class Step {
 public:
  Step(const config::Config& file, const config::Service& own, const ChangedService& changes, const std::string& backend)
      : file_(file),
        own_(own),
        name_(backend),
        before_(changes.contains(backend) ? changes.at(backend) : ChangedBackend{}),
        after_(before_),
        present_(*lay_over(file, own, changes).service),
        backend_(find_backend(present_, backend)) {}

  [[nodiscard]] ChangedBackend after() const { return after_; }

  Result take(const AddBackend& add) {
    const config::Backend added{name_, add.address, add.weight, add.max_connections, add.public_address};
    if (backend_ != nullptr && *backend_ == added) return Applied::kNothing;
    if (backend_ != nullptr) {
      return refuse(Kind::kConflict, fmt::format("{} is there already, at {} with weight {}: change it, or remove it first",
                                                 shown(), backend_->address.to_string(), backend_->weight));
    }
    if (auto clash = find_clash(file_, present_, added)) return tl::make_unexpected(std::move(*clash));
    after_ = ChangedBackend{};
    after_.added = added;
    simplify(after_, find_backend(own_, name_));
    return Applied::kCreated;
  }

  Result take(const EditBackend& edit) {
    if (backend_ == nullptr && before_.removed && only_drains(edit)) {
      after_.evict = edit.evict.value_or(0);
      return after_ == before_ ? Applied::kNothing : Applied::kChanged;
    }
    if (backend_ == nullptr) return missing();
    const auto state = edit.state.value_or(before_.state);
    if (edit.evict && state == AdminState::kEnabled)
      return refuse(Kind::kConflict, fmt::format("evict: {} takes new connections; drain it with the same request", shown()));
    if (edit.state) after_.evict = 0;
    after_.state = state;
    after_.evict = edit.evict.value_or(after_.evict);
    if (edit.weight) after_.weight = edit.weight;
    if (edit.max_connections) after_.max_connections = edit.max_connections;
    simplify(after_, find_backend(own_, name_));
    if (after_ != before_) return Applied::kChanged;
    return edit.connections ? Applied::kReported : Applied::kNothing;
  }

  Result take(const RemoveBackend& /*remove*/) {
    if (backend_ == nullptr) return missing();
    after_ = ChangedBackend{};
    after_.removed = backend_->address;
    after_.evict = before_.evict;
    return Applied::kChanged;
  }

  Result take(const ResetBackend& /*reset*/) {
    if (before_ == ChangedBackend{}) return backend_ == nullptr ? missing() : Result(Applied::kNothing);
    after_ = ChangedBackend{};
    return Applied::kChanged;
  }

 private:
  [[nodiscard]] std::string shown() const { return own_.name + "/" + name_; }
  [[nodiscard]] Result missing() const {
    if (before_.removed) {
      return refuse(Kind::kConflict, fmt::format("{} was removed at run time: {}add it to have it back", shown(),
                                                 find_backend(own_, name_) != nullptr ? "reset it or " : ""));
    }
    return unknown(fmt::format("service {} has no backend '{}'", own_.name, name_), name_, present_.backends);
  }

  const config::Config& file_;
  const config::Service& own_;
  const std::string& name_;
  const ChangedBackend before_;
  ChangedBackend after_;
  const config::Service present_;
  const config::Backend* const backend_;  // in present_
};

void remember(Changes& changes, const std::string& service, const std::string& backend, ChangedBackend changed) {
  if (changed != ChangedBackend{}) {
    changes[service][backend] = std::move(changed);
    return;
  }
  const auto place = changes.find(service);
  if (place == changes.end()) return;
  place->second.erase(backend);
  if (place->second.empty()) changes.erase(place);
}

std::size_t size_of(const Changes& changes) {
  std::size_t size = 0;
  for (const auto& [service, backends] : changes) size += backends.size();
  return size;
}

const ChangedService& changes_of(const Changes& changes, const std::string& service) {
  const auto place = changes.find(service);
  return place == changes.end() ? kNoChanges : place->second;
}

}  // namespace

tl::expected<Applied, ChangeError> Overlay::change(const config::Config& file, const std::string& service,
                                                   const std::string& backend, const BackendChange& change, TimePoint now) {
  if (auto problems = problems_of(backend, change); !problems.empty())
    return tl::make_unexpected(ChangeError{Kind::kBad, std::move(problems)});
  const auto* own = find_service(file, service);
  const auto& present = changes_of(changes_, service);
  if (own == nullptr) {
    if (!std::holds_alternative<ResetBackend>(change) || !present.contains(backend))
      return unknown(fmt::format("there is no service '{}'", service), service, file.services);
    remember(changes_, service, backend, {});
    return Applied::kChanged;
  }
  Step step(file, *own, present, backend);
  auto applied = std::visit([&step](const auto& kind) { return step.take(kind); }, change);
  if (!applied) return applied;
  if (!present.contains(backend) && step.after() != ChangedBackend{} && size_of(changes_) >= kMaxChangedBackends) {
    return refuse(Kind::kConflict,
                  fmt::format("{} backends are changed at run time already: reset some of them", kMaxChangedBackends));
  }
  remember(changes_, service, backend, step.after());
  note_report({service, backend}, change, *applied, now);
  return applied;
}

std::optional<LaidService> Overlay::lay(const config::Config& file, const std::string& service, const config::Service* own) const {
  const auto changes = changes_.find(service);
  if (changes == changes_.end()) return std::nullopt;
  if (own != nullptr) return lay_over(file, *own, changes->second);
  LaidService laid;
  for (const auto& [backend, change] : changes->second)
    laid.dormant.push_back(dormant_text(service, backend, "is of a service that is not in the configuration"));
  return laid;
}

bool Overlay::settle(const config::Config& file,
                     const std::function<bool(const std::string& service, const netlink::Endpoint&)>& drains) {
  const auto before = changes_;
  for (const auto& [service, backends] : before) {
    const auto* own_service = find_service(file, service);
    if (own_service == nullptr) continue;
    for (auto [name, change] : backends) {
      const auto* own = find_backend(*own_service, name);
      const bool ended = change.removed && own == nullptr && !drains(service, *change.removed);
      if (!change.removed) simplify(change, own);
      remember(changes_, service, name, ended ? ChangedBackend{} : std::move(change));
    }
  }
  return changes_ != before;
}

void Overlay::follow(const Overlay& theirs) {
  changes_ = theirs.changes_;
  versions_.merge(theirs.versions_);
}

void Overlay::note_report(const Key& key, const BackendChange& change, Applied applied, TimePoint now) {
  const auto* edit = std::get_if<EditBackend>(&change);
  if (edit == nullptr && applied != Applied::kNothing) reports_.erase(key);  // another backend from now on
  if (edit == nullptr || !edit->connections) return;
  std::erase_if(reports_, [now](const auto& item) { return now - item.second.at >= kReportLifetime; });
  reports_[key] = {*edit->connections, now};
}

std::vector<std::string> differing(const Changes& one, const Changes& other) {
  std::set<std::string> names;
  const auto note = [&names](const Changes& some, const Changes& others) {
    for (const auto& [service, backends] : some) {
      const auto& theirs = changes_of(others, service);
      for (const auto& [backend, change] : backends) {
        const auto place = theirs.find(backend);
        if (place == theirs.end() || place->second != change) names.insert(fmt::format("{}/{}", service, backend));
      }
    }
  };
  note(one, other);
  note(other, one);
  return {names.begin(), names.end()};
}

std::optional<std::uint64_t> Overlay::reported(const std::string& service, const std::string& backend, TimePoint now) const {
  const auto place = reports_.find({service, backend});
  if (place == reports_.end() || now - place->second.at >= kReportLifetime) return std::nullopt;
  return place->second.connections;
}

}  // namespace wsl4::service
