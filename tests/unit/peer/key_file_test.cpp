#include "daemon/peer/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/http_bed.h"

namespace wsl4::peer {
namespace {

using testing::ElementsAre;

const std::string kOne(64, '1'), kTwo(64, '2');

std::vector<std::string> problems(const std::string& text) {
  const auto keys = parse_keys(text, "f");
  return keys ? std::vector<std::string>{} : keys.error();
}

TEST(KeyFile, HasAKeyALineAndTheFirstOneLeads) {
  const auto keys = parse_keys("# since May\n\n " + kTwo + " \r\n" + kOne, "f");
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->front().text(), kTwo);
  EXPECT_EQ(keys->back().bytes(),
            (Key::Bytes{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11}));
}

TEST(KeyFile, TellsEveryProblemAndNoKey) {
  EXPECT_THAT(problems("abc\n" + kOne + "\n" + kOne + "\n" + std::string(64, 'g')),
              ElementsAre("f:1: a key has 64 hexadecimal digits, this has 3 characters (wsl4ctl keygen makes one)",
                          "f:4: a key has hexadecimal digits only (wsl4ctl keygen makes one)"));
  EXPECT_THAT(problems("# nothing\n"), ElementsAre("f: has no key (wsl4ctl keygen makes one)"));
  std::string many;
  for (char c = '0'; c <= '9'; ++c) many += std::string(64, c) + "\n";
  EXPECT_THAT(problems(many), ElementsAre("f:9: there are more than 8 keys")) << "once";
}

TEST(KeyFile, AKeyThatStandsThereTwiceIsOne) {
  const auto keys = parse_keys(kTwo + "\n" + kOne + "\n" + kTwo + "\n", "f");
  ASSERT_TRUE(keys);
  EXPECT_THAT(*keys, ElementsAre(testing::Property(&Key::text, kTwo), testing::Property(&Key::text, kOne)));
}

TEST(KeyFile, AKeysIdIsItsOwnAndNotItsDigits) {
  const auto one = Key::parse(kOne), two = Key::parse(kTwo), upper = Key::parse(std::string(64, 'A')),
             lower = Key::parse(std::string(64, 'a'));
  EXPECT_NE(one->id(), two->id());
  EXPECT_EQ(upper->id(), lower->id());
  EXPECT_EQ(one->id().size(), 32U);
  EXPECT_EQ(kOne.find(one->id()), std::string::npos);
}

TEST(KeyFile, GeneratedKeysDiffer) { EXPECT_NE(Key::generate()->text(), Key::generate()->text()); }

TEST(KeyFile, IsMadeForItsOwnerOnlyAndNeverOverwritten) {
  const test::TemporaryFolder folder;
  const auto file = folder.file("peer.key");
  const passwd* const user = ::getpwnam("nobody");
  ASSERT_NE(user, nullptr);
  ASSERT_TRUE(make_key_file(file, *Key::parse(kOne), "nobody"));
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(status.st_uid, ::geteuid() == 0 ? user->pw_uid : ::geteuid());
  EXPECT_EQ(load_keys(file)->front().text(), kOne);
  EXPECT_FALSE(make_key_file(file, *Key::parse(kTwo), "nobody"));
  EXPECT_EQ(load_keys(file)->front().text(), kOne);
  const auto others = folder.file("others.key");
  EXPECT_TRUE(make_key_file(others, *Key::parse(kTwo), "no-such-user"));
}

TEST(KeyFile, ThatOthersMayReadIsRefused) {
  const test::TemporaryFolder folder;
  const auto file = folder.file("peer.key");
  ASSERT_TRUE(make_key_file(file, *Key::parse(kOne), ""));
  for (const char* mode : {"0640", "0604", "0644"}) {
    ASSERT_EQ(::chmod(file.c_str(), static_cast<mode_t>(std::stoul(mode, nullptr, 8))), 0);
    EXPECT_THAT(load_keys(file).error(), ElementsAre(file + " holds secrets and has mode " + mode + ": chmod 0600 " + file));
  }
  ASSERT_EQ(::chmod(file.c_str(), 0400), 0);
  EXPECT_TRUE(load_keys(file));
  EXPECT_THAT(load_keys(folder.file("no")).error(),
              ElementsAre("cannot open " + folder.file("no") + ": No such file or directory"));
}

}  // namespace
}  // namespace wsl4::peer
