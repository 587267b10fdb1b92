#include "daemon/addresses/lasting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/desired_states.h"

namespace wsl4::addresses {
namespace {

using test::address;
using testing::ElementsAre;
using testing::IsEmpty;

const WantedAddress kStays{address("198.18.0.10"), ""}, kGoes{address("198.18.0.11"), "front", 24};
const auto kForeign = address("198.18.0.12");  // only the peer's configuration had it

TEST(LastingAddresses, OneThatHasLeftTheConfigurationLastsWhileFlowsUseIt) {
  LastingAddresses lasting;
  lasting.configure({kStays, kGoes});
  EXPECT_THAT(lasting.addresses(), IsEmpty());
  lasting.configure({kStays});
  EXPECT_THAT(lasting.addresses(), ElementsAre(kGoes)) << "nobody has told whether it is in use";
  lasting.note_use({kStays.address, kGoes.address}, {});
  EXPECT_THAT(lasting.addresses(), ElementsAre(kGoes)) << "as it was configured";
  lasting.note_use({kStays.address}, {});
  EXPECT_THAT(lasting.addresses(), IsEmpty());
}

TEST(LastingAddresses, OneThatThePeersFlowsUseBelongsWhereItsNetworkIs) {
  LastingAddresses lasting;
  lasting.configure({kStays});
  lasting.note_use({kForeign}, {});
  EXPECT_THAT(lasting.addresses(), ElementsAre(WantedAddress{kForeign, "", 0}));
}

TEST(LastingAddresses, OneThatIsOnThisNodesInterfacesNeedsNothing) {
  LastingAddresses lasting;
  lasting.configure({kStays, kGoes});
  lasting.configure({kStays});
  lasting.note_use({kGoes.address}, {kGoes.address});
  EXPECT_THAT(lasting.addresses(), IsEmpty());
  lasting.note_use({kGoes.address}, {});
  EXPECT_THAT(lasting.addresses(), ElementsAre(kGoes)) << "known still when another node has it";
}

TEST(LastingAddresses, OneThatComesBackIsConfigured) {
  LastingAddresses lasting;
  lasting.configure({kStays, kGoes});
  lasting.configure({kStays});
  lasting.configure({kStays, kGoes});
  EXPECT_THAT(lasting.addresses(), IsEmpty());
}

}  // namespace
}  // namespace wsl4::addresses
