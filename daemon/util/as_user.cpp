#include "daemon/util/as_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace wsl4::util {

void run_as(const std::string& name, const std::function<void()>& work) {
  const passwd* const user = ::geteuid() == 0 ? ::getpwnam(name.c_str()) : nullptr;
  if (user == nullptr) return work();
  constexpr int kMaxGroups = 64;
  std::array<gid_t, kMaxGroups> groups{};
  int count = kMaxGroups;
  if (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) < 0) count = kMaxGroups;  // the first ones
  const uid_t uid = user->pw_uid;
  const gid_t gid = user->pw_gid;
  std::thread([&] {
    // The kernel's own calls: the library's would change every thread (nptl(7)).
    (void)::syscall(SYS_setgroups, count, groups.data());
    (void)::syscall(SYS_setresgid, gid, gid, gid);
    (void)::syscall(SYS_setresuid, uid, uid, uid);
    work();
  }).join();
}

bool can_act_as(const std::string& name) {
  const uid_t self = ::geteuid();
  const passwd* const user = ::getpwnam(name.c_str());
  return self == 0 || user == nullptr || user->pw_uid == self;
}

}  // namespace wsl4::util
