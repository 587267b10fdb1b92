#include "daemon/util/file.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <initializer_list>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/util/as_user.h"
#include "tests/support/http_bed.h"

namespace wsl4::util {
namespace {

TEST(SecretFile, IsReadAtMode0640AndStricter) {
  const test::TemporaryFolder folder;
  const auto path = folder.file("tokens");
  std::ofstream(path) << "secret";
  for (const auto mode : std::initializer_list<mode_t>{0640, 0600, 0440, 0400}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(read_secret_file(path), "secret") << std::oct << mode;
  }
  for (const auto mode : std::initializer_list<mode_t>{0644, 0641, 0642, 0660, 0650, 0666, 0604, 04640}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto content = read_secret_file(path);
    ASSERT_FALSE(content) << std::oct << mode;
    EXPECT_EQ(content.error(), fmt::format("{} holds secrets and has mode {:04o}: chmod 0640 {}", path, mode, path));
  }
}

TEST(Folder, InWhichNothingMayBeWrittenIsNamed) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(may_write_in(folder.file("")));
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0755), 0);
  EXPECT_EQ(as_user("nobody", [&] { return may_write_in(folder.file("")); }).error(),
            "cannot write in " + folder.file("") + ": Permission denied to user nobody");
  EXPECT_EQ(may_write_in(folder.file("gone")).error(), "cannot write in " + folder.file("gone") + ": No such file or directory");
}

/// Runs as another user in group root, on a thread of its own. Needs root.
template <class Function>
void as_nobody(Function function) {
  std::thread([&] {
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);  // of this thread alone
    function();
  }).join();
}

TEST(SecretFile, OfAThirdUserIsRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder.file("tokens");
  std::ofstream(path) << "secret";
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  as_nobody([&] { EXPECT_EQ(read_secret_file(path), "secret") << "root's"; });
  ASSERT_EQ(::chown(path.c_str(), 65534, 0), 0);
  as_nobody([&] { EXPECT_EQ(read_secret_file(path), "secret") << "its own"; });
  ASSERT_EQ(::chown(path.c_str(), 65533, 0), 0);
  as_nobody([&] {
    EXPECT_EQ(read_secret_file(path).error(),
              path + " holds secrets and belongs to user 65533, not to user nobody: chown nobody: " + path);
  });
  EXPECT_EQ(read_secret_file(path), "secret") << "root reads on behalf of others";
}

TEST(SecretFile, IsJudgedForTheUserThatWillReadIt) {
  const test::TemporaryFolder folder;
  const auto path = folder.file("key");
  std::ofstream(path) << "secret";
  ASSERT_EQ(::chmod(folder.file("").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto read = [&] { return read_secret_file(path); };
  EXPECT_EQ(as_user("nobody", read).error(), "cannot open " + path + ": Permission denied to user nobody");
  EXPECT_EQ(as_user("nobody-of-this-name", read), "secret");
  EXPECT_EQ(read(), "secret") << "this thread is root's still";
  ASSERT_EQ(::chown(path.c_str(), 65534, 0), 0);
  EXPECT_EQ(as_user("nobody", read), "secret");
  ASSERT_EQ(::chown(path.c_str(), 65533, 65534), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(as_user("nobody", read).error(),
            path + " holds secrets and belongs to user 65533, not to user nobody: chown nobody: " + path);
}

TEST(SecretFile, WhatIsNoFileIsNotToldToBeMadeSecret) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_secret_file(folder.file("")).error(), folder.file("") + " is a folder, not a file");
  EXPECT_EQ(read_secret_file("/dev/null").error(), "/dev/null is a device or pipe, not a file");
  const auto pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_secret_file(pipe).error(), pipe + " is a device or pipe, not a file");
}

TEST(SecretFile, ErrorsNameTheFile) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_secret_file(folder.file("no")).error(),
            fmt::format("cannot open {}: No such file or directory", folder.file("no")));
}

}  // namespace
}  // namespace wsl4::util
