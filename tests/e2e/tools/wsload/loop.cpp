#include "tests/e2e/tools/wsload/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace wsload {

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { add(STDIN_FILENO, EPOLLIN); }
Loop::~Loop() { close(epoll_); }

void Loop::add(int fd, std::uint32_t events) {
  epoll_event event{events, {.fd = fd}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    std::perror("epoll_ctl");
    std::exit(1);
  }
}

void Loop::change(int fd, std::uint32_t events) {
  epoll_event event{events, {.fd = fd}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Loop::poll() {
  std::array<epoll_event, 256> events{};
  const int count = epoll_wait(epoll_, events.data(), events.size(), 5);
  for (int i = 0; i < count; ++i) {
    const auto& event = events.at(static_cast<std::size_t>(i));
    if (event.data.fd != STDIN_FILENO) {
      handler_(event.data.fd, event.events);
      continue;
    }
    std::array<char, 4096> buffer{};
    const auto size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size > 0)
      input_.append(buffer.data(), static_cast<std::size_t>(size));
    else
      input_ended_ = true;
  }
  if (tick_) tick_();
}

bool Loop::run_until(const std::function<bool()>& done, Clock::time_point deadline) {
  while (!done()) {
    if (Clock::now() >= deadline) return false;
    if (input_ended_) std::exit(0);  // whoever gave the commands is gone
    poll();
  }
  return true;
}

void Loop::run(const std::function<void(const std::string&)>& command) {
  while (!input_ended_) {
    poll();
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      const auto line = input_.substr(0, end);
      input_.erase(0, end + 1);
      command(line);
    }
  }
}

void answer(const std::string& json) {
  std::printf("%s\n", json.c_str());
  std::fflush(stdout);
}

}  // namespace wsload
