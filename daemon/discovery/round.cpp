#include "daemon/discovery/round.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace wsl4::discovery {
namespace {

constexpr unsigned kWeight = 100;  // of hosts without SRV records, as the configuration's default

bool is_usable(const SrvRecord& service) {
  return service.port != 0 && !service.target.empty() && service.target.find('?') == std::string::npos;
}

}  // namespace

Round::Round(const Source& source, Families families, Memory last) : source_(source), families_(families), last_(std::move(last)) {
  if (source_.port) {
    ask_for_addresses(source_.name);
  } else {
    questions_.push_back({source_.name, RecordType::kSrv});
  }
}

void Round::ask_for_addresses(const std::string& host) {
  if (families_.ipv4) questions_.push_back({host, RecordType::kA});
  if (families_.ipv6) questions_.push_back({host, RecordType::kAaaa});
}

void Round::take(const std::vector<Reply>& replies) {
  const auto asked = std::exchange(questions_, {});
  if (asked.front().type == RecordType::kSrv) {
    take_services(replies.front());
  } else {
    take_addresses(asked, replies);
  }
}

void Round::take_services(const Reply& reply) {
  if (!reply) {
    memory_ = std::move(last_);  // no address was asked for: what is known of them stays known
    return fail({source_.name, RecordType::kSrv}, reply.error());
  }
  ttl_ = std::min(ttl_, reply->ttl);
  auto services = reply->services;
  std::sort(services.begin(), services.end());
  for (const SrvRecord& service : services) {
    if (!is_usable(service)) continue;
    if (!priorities_.contains(service.priority) && priorities_.size() == kMaxPriorities) break;
    Priority& priority = priorities_[service.priority];
    if (priority.records < kMaxRecords) {
      priority.targets[service.target].push_back(service);
      ++priority.records;
    } else {
      ++priority.left_out;
    }
  }
  ask_next_priority();
}

void Round::ask_next_priority() {
  if (priorities_.empty()) return;
  for (const auto& [host, records] : priorities_.begin()->second.targets) ask_for_addresses(host);
}

void Round::take_addresses(const std::vector<Question>& asked, const std::vector<Reply>& replies) {
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto remembered = last_.find(asked[i]);
    if (replies[i]) {
      memory_[asked[i]] = *replies[i];
    } else {
      fail(asked[i], replies[i].error());
      if (remembered != last_.end()) memory_[asked[i]] = remembered->second;
    }
    if (const auto known = memory_.find(asked[i]); known != memory_.end()) add_candidates(known->first, known->second);
  }
  // After a failure it is not known that this priority has no addresses, and so the next one's turn has not come.
  if (source_.port || !candidates_.empty() || !problem_.empty()) return;
  priorities_.erase(priorities_.begin());
  ask_next_priority();
}

void Round::add_candidates(const Question& question, const Answer& answer) {
  if (answer.empty()) return;
  ttl_ = std::min(ttl_, answer.ttl);
  for (const auto& address : answer.addresses) {
    if (source_.port) {
      add_candidate({{address, *source_.port}, kWeight, {}});
      continue;
    }
    for (const SrvRecord& service : priorities_.begin()->second.targets.at(question.name)) {
      add_candidate({{address, service.port}, service.weight, service.target});
    }
  }
}

void Round::add_candidate(Candidate candidate) {
  if (candidates_.size() < kMaxCandidates) {
    candidates_.push_back(std::move(candidate));
  } else {
    ++left_out_;
  }
}

void Round::fail(const Question& question, const std::string& why) {
  if (problem_.empty()) problem_ = fmt::format("{} of {}: {}", to_string(question.type), question.name, why);
}

Found Round::found() const {
  Found found;
  found.selection = select_backends(candidates_);
  found.selection.cut += left_out_ + (priorities_.empty() ? 0 : priorities_.begin()->second.left_out);
  found.problem = problem_;
  if (!found.selection.backends.empty()) {
    found.ttl = ttl_;
  } else if (problem_.empty()) {
    found.problem = fmt::format("{} has no {}", source_.name, source_.port ? "address" : "SRV record that leads to an address");
  }
  return found;
}

}  // namespace wsl4::discovery
