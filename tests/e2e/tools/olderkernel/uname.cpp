// Loaded before a program (LD_PRELOAD): the kernel says that it is Linux 6.1, so that wsl4d does without what came later.
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>

extern "C" int uname(utsname* names) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_uname, names));
  if (result == 0) std::strncpy(names->release, "6.1.0", sizeof names->release - 1);
  return result;
}
