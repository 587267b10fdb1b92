// The signals that steer the daemon: SIGTERM, SIGINT, SIGHUP. What comes before it can act on them waits.
#pragma once

#include <csignal>

namespace wsl4::util {

inline sigset_t steering_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

/// In the calling thread, and in those that it starts.
inline void hold_signals() {
  const auto set = steering_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// The calling thread takes what has come and what comes.
inline void take_signals() {
  const auto set = steering_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace wsl4::util
