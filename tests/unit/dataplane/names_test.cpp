#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "daemon/dataplane/names.h"
#include "daemon/dataplane/plan.h"
#include "tests/support/desired_states.h"

namespace wsl4::dataplane {
namespace {

service::BackendState backend(std::string name, service::BackendId id) {
  return {std::move(name), test::endpoint("198.18.2.1:80"), id, 1, 1};
}

void expect_usable(const std::string& name) {
  EXPECT_TRUE(std::regex_match(name, std::regex("[a-zA-Z][-a-zA-Z0-9/_.]*"))) << name;
  EXPECT_LE(name.size(), 255U) << name;
}

TEST(Names, AreWhatNftTakes) {
  auto state = test::two_services();
  auto odd = test::make_service("9-lives", {"198.18.0.9:1"}, {});
  odd.backends = {backend("198.51.100.101:8888", 20), backend("[2001:db8::1]:80", 21), backend("zwölf \"Affen\"", 22),
                  backend(std::string(300, 'x'), 23)};
  state.services[odd.name] = odd;
  const auto table = plan(state);
  for (const auto& [name, chain] : table.chains) expect_usable(name);
  for (const auto& [name, set] : table.sets) expect_usable(name);
  for (const auto& [name, counter] : table.counters) expect_usable(name);
}

TEST(Names, ABackendThatMovedKeepsItsNameAndItsOldAddressGetsANumber) {
  auto service = test::make_service("a", {}, {});
  service.backends = {backend("erlang-1", 7), backend("erlang-1", 3)};
  EXPECT_EQ(names::backend_chain(service, service.backends[0]), "backend/a/erlang-1");
  EXPECT_EQ(names::backend_chain(service, service.backends[1]), "backend/a/erlang-1/3");
}

TEST(Names, OfBackendsAreUnique) {
  const auto service = test::make_service("a", {}, {});
  std::set<std::string> names;
  std::size_t number = 0;
  for (const auto* name : {"x:1", "x_1", "x;1", "x_1.1", "x.1", "x/1", "x_1/1"}) {
    names.insert(names::backend_chain(service, backend(name, static_cast<service::BackendId>(++number))));
    EXPECT_EQ(names.size(), number) << name;
  }
  EXPECT_NE(names::backend_chain(test::make_service("a-b", {}, {}), backend("c", 1)),
            names::backend_chain(test::make_service("a", {}, {}), backend("b-c", 2)));
}

TEST(Names, OfCountersAreUniqueAmongServices) {
  std::set<std::string> names;
  for (const auto* name : {"chat", "chat-full", "chat-no-backend", "chat-client-limit"}) {
    const auto service = test::make_service(name, {}, {});
    names.insert({names::new_flows_counter(service), names::no_backend_counter(service), names::full_counter(service),
                  names::client_limit_counter(service)});
  }
  EXPECT_EQ(names.size(), 16U);
}

TEST(Names, SpeakOfTheService) {
  const auto service = test::make_service("chat", {}, {});
  EXPECT_EQ(names::service_chain(service, netlink::Family::kIpv6), "service/chat-ip6");
  EXPECT_EQ(names::service_slots(service, netlink::Family::kIpv4), "slots/chat-ip");
  EXPECT_EQ(names::backend_chain(service, backend("erlang-1", 7)), "backend/chat/erlang-1");
  EXPECT_EQ(names::backend_chain(service, backend("198.18.2.1:80", 7)), "backend/chat/198.18.2.1_80/7");
}

TEST(Names, CommentsFitTheKernelAndTheText) {
  EXPECT_EQ(names::comment("a \"b\"\n"), "a _b__");
  EXPECT_EQ(names::comment(std::string(200, 'x')).size(), 128U);
}

}  // namespace
}  // namespace wsl4::dataplane
