// What outsiders and operators write for nodes that join: the body of a registration, the file of tokens; and the state file that
// remembers them. What is taken is the same when written and read again; what is not is told on one line each, with its place.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/control/tokens.h"
#include "daemon/service/joined_json.h"

namespace {

using wsl4::control::Tokens;
using wsl4::service::Leases;

const Leases::Moment kNow{Leases::Time(std::chrono::seconds(1'700'000'000)), Leases::Steady(std::chrono::hours(1))};

void check(bool holds) {
  if (!holds) std::abort();
}

void check_body(const std::string& text) {
  const auto registration = wsl4::service::parse_registration(text);
  if (!registration) {
    check(!registration.error().empty());
    for (const auto& problem : registration.error()) check(!problem.empty() && problem.find('\n') == std::string::npos);
    return;
  }
  check(registration->weight >= 0 && registration->weight <= 1000);
  check(registration->ttl >= std::chrono::seconds(5) && registration->ttl <= std::chrono::hours(1));
  Leases leases;
  check(leases.renew({"chat", "one"}, *registration, kNow) == Leases::Renewal::kNew);
  const auto again = Leases::from_json(leases.to_json(), kNow);
  check(again.has_value());
  check(again->all().begin()->second.registration == *registration);
}

void check_tokens(const std::string& text) {
  const auto tokens = Tokens::parse(text, "f");
  if (tokens) {
    check(tokens->size() <= Tokens::kMaxTokens);
    check(tokens->check("Bearer " + text.substr(0, text.find(' ')), "no such service") != Tokens::Verdict::kGranted ||
          text.find('*') != std::string::npos);
    return;
  }
  check(!tokens.error().empty());
  for (const auto& problem : tokens.error()) check(problem.starts_with("f:") && problem.find('\n') == std::string::npos);
}

void check_joined(const std::string& text) {
  const auto stored = wsl4::service::parse_joined(text, "f", kNow);
  if (!stored) return check(stored.error().starts_with("f is broken (") && stored.error().find('\n') == std::string::npos);
  const auto again = wsl4::service::parse_joined(to_text(stored->leases, stored->discovered), "f", kNow);
  check(again && again->leases.all() == stored->leases.all() && again->discovered == stored->discovered);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(data + 1, data + size);
  if (data[0] == 't') {
    check_tokens(text);
  } else if (data[0] == 'j') {
    check_joined(text);
  } else {
    check_body(text);
  }
  return 0;
}
