#include "daemon/http/unix_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "netlink/handle.h"
#include "tests/support/http_bed.h"

namespace wsl4::http {
namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

TEST(UnixSocket, IsForOwnerAndGroupOnlyWhateverTheUmask) {
  const test::TemporaryFolder folder;
  for (const mode_t mask : {mode_t{0}, mode_t{077}}) {
    const std::string path = folder.file("s");
    const mode_t before = ::umask(mask);
    const auto socket = listen_unix_socket(path, 1);
    ::umask(before);
    ASSERT_TRUE(socket) << socket.error();
    const netlink::Fd fd(socket->descriptor);
    struct stat status {};
    ASSERT_EQ(::lstat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
    remove_socket_file(*socket);
    EXPECT_FALSE(exists(path));
  }
}

TEST(UnixSocket, ReplacesWhatADeadDaemonLeft) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("s");
  const auto dead = listen_unix_socket(path, 1);
  ASSERT_TRUE(dead);
  ::close(dead->descriptor);
  const auto next = listen_unix_socket(path, 1);
  ASSERT_TRUE(next) << next.error();
  const netlink::Fd fd(next->descriptor);
  remove_socket_file(*next);
}

TEST(UnixSocket, LeavesALiveDaemonAlone) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("s");
  const auto live = listen_unix_socket(path, 1);
  ASSERT_TRUE(live);
  const netlink::Fd fd(live->descriptor);
  for (int i = 0; i < 4; ++i) {  // the backlog is full after two
    const auto second = listen_unix_socket(path, 1);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), "control socket " + path + ": another daemon answers there; stop it, or set control.socket");
  }
}

TEST(UnixSocket, LeavesOtherFilesAlone) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("s");
  std::ofstream(path) << "mine";
  const auto socket = listen_unix_socket(path, 1);
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error(), "control socket " + path + ": there is a file of another kind; move it away");
  EXPECT_TRUE(exists(path));
}

TEST(UnixSocket, TellsWhatIsWrongWithThePath) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(listen_unix_socket(folder.file("no/s"), 1).error(),
            "control socket " + folder.file("no/s") + ": No such file or directory");
  const std::string long_path = folder.file(std::string(200, 'a'));
  EXPECT_EQ(listen_unix_socket(long_path, 1).error(), "control socket " + long_path + ": the path must have 1 to 107 characters");
}

TEST(UnixSocket, RemovesOnlyItsOwnFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("s");
  const auto old = listen_unix_socket(path, 1);
  ASSERT_TRUE(old);
  ::close(old->descriptor);
  ASSERT_EQ(::rename(path.c_str(), folder.file("kept").c_str()), 0);  // keeps the inode's number in use
  const auto next = listen_unix_socket(path, 1);
  ASSERT_TRUE(next);
  const netlink::Fd fd(next->descriptor);
  remove_socket_file(*old);
  EXPECT_TRUE(exists(path));
}

}  // namespace
}  // namespace wsl4::http
