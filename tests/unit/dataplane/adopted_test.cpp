#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/dataplane/plan.h"
#include "tests/support/desired_states.h"

namespace wsl4::dataplane {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

std::vector<AdoptedBackend> known(const service::DesiredState& state) {
  std::vector<AdoptedBackend> backends;
  for (const auto& [name, service] : state.services)
    for (const auto& backend : service.backends)
      backends.push_back({name, backend.name, backend.address, service.protocol, backend.id});
  return backends;
}

TEST(Adopted, EveryBackendIsReadBack) {
  auto state = test::two_services();
  state.services.at("chat").backends[0].name = "a name with spaces";
  state.services.at("chat").backends[1].name = "198.18.2.2:8888";
  state.services.at("chat").backends[2].name = "[2001:db8:2::1]:8888";
  EXPECT_THAT(adopted_backends(plan(state), state.mark), UnorderedElementsAreArray(known(state)));
}

TEST(Adopted, NumbersOfAnotherMaskMeanNothing) {
  const auto state = test::two_services();
  EXPECT_THAT(adopted_backends(plan(state), service::MarkLayout(0xffff0000)), IsEmpty());
}

TEST(Adopted, OtherChainsArePassedOver) {
  const auto state = test::two_services();
  for (const auto* comment :
       {"", "chat", "chat tcp", "chat tcp 198.18.2.1:8888", "chat sctp 198.18.2.1:8888 b1", "chat tcp nowhere b1"}) {
    netlink::nft::Table table;
    table.chains["backend/chat/b1"] = plan(state).chains.at("backend/chat/b1");
    table.chains["backend/chat/b1"].comment = comment;
    EXPECT_THAT(adopted_backends(table, state.mark), IsEmpty()) << comment;
  }
}

}  // namespace
}  // namespace wsl4::dataplane
