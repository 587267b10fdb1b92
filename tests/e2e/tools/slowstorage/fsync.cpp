// Loaded before a program (LD_PRELOAD): storage answers no fsync while the file that $STALLS_WHILE names is there.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int fsync(int fd) {
  const char* const file = std::getenv("STALLS_WHILE");
  constexpr useconds_t kPause = 10'000;
  while (file != nullptr && ::access(file, F_OK) == 0) ::usleep(kPause);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
