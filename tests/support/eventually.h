// Waiting for what other threads bring about.
#pragma once

#include <chrono>
#include <thread>

namespace wsl4::test {

/// Whether `condition` comes to hold within a generous deadline.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace wsl4::test
