// One look at DNS: which questions to ask one after the other, and what comes out of the answers. Pure; whoever drives it asks.
//
// SRV: the targets of the lowest priority are looked up; if none of them has an address, those of the next one, and so on: only
// one priority is ever used. Additional sections are not trusted to be complete: targets are asked for by themselves.
// A question that failed (no answer, SERVFAIL, an answer that makes no sense) says nothing, while an answer without records says
// that there are none. A failed question for addresses is answered by what it said in the last round, so that one broken zone
// neither empties nor freezes the list.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/discovery/backends.h"
#include "daemon/discovery/message.h"
#include "daemon/discovery/source.h"

namespace wsl4::discovery {

/// The error says why there is no answer; the question is not named in it.
using Reply = tl::expected<Answer, std::string>;
/// What addresses were found, for the next round.
using Memory = std::map<Question, Answer>;

// What is beyond these is left out, and counts as cut.
inline constexpr std::size_t kMaxRecords = kMaxBackends;          // SRV records of one priority
inline constexpr std::size_t kMaxPriorities = 8;                  // looked at in one round, the lowest ones
inline constexpr std::size_t kMaxCandidates = 16 * kMaxBackends;  // addresses, before any are found to be the same

struct Found {
  Selection selection;          // of all that was left out, `cut` tells of the priority in use
  std::chrono::seconds ttl{0};  // the lowest of the answers used
  std::string problem;          // the first thing that failed; empty: nothing. There may be backends nevertheless
};

class Round {
 public:
  Round(const Source& source, Families families, Memory last);

  /// What is to be asked next, all at once; empty: the round is over.
  [[nodiscard]] const std::vector<Question>& questions() const { return questions_; }
  /// The replies to questions(), in their order.
  void take(const std::vector<Reply>& replies);

  /// After the round. No backends: `problem` says why.
  [[nodiscard]] Found found() const;
  [[nodiscard]] const Memory& memory() const { return memory_; }

 private:
  void ask_for_addresses(const std::string& host);
  void take_services(const Reply& reply);
  void take_addresses(const std::vector<Question>& asked, const std::vector<Reply>& replies);
  void ask_next_priority();
  void add_candidates(const Question& question, const Answer& answer);
  void add_candidate(Candidate candidate);
  void fail(const Question& question, const std::string& why);

  struct Priority {
    std::map<std::string, std::vector<SrvRecord>> targets;
    std::size_t records = 0, left_out = 0;
  };

  Source source_;
  Families families_;
  Memory last_, memory_;
  std::vector<Question> questions_;
  std::map<std::uint16_t, Priority> priorities_;  // the first one is being looked at
  std::vector<Candidate> candidates_;
  std::size_t left_out_ = 0;  // candidates
  std::chrono::seconds ttl_ = std::chrono::seconds::max();
  std::string problem_;
};

}  // namespace wsl4::discovery
