#include "daemon/pair/hook.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "daemon/util/as_user.h"

namespace wsl4::pair {

namespace {

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The hook behind setpriv(1), which gives up what the daemon may and a hook may not.
std::vector<std::string> command_of(const Hook& hook) {
  std::vector<std::string> command{"setpriv", "--ambient-caps=-all", "--no-new-privs"};
  if (::geteuid() == 0 && ::getpwnam(util::kDaemonUser) != nullptr)
    command.insert(command.end(),
                   {fmt::format("--reuid={}", util::kDaemonUser), fmt::format("--regid={}", util::kDaemonUser), "--init-groups"});
  command.insert(command.end(), {"--", hook.program});
  return command;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// In a process group of its own, with the daemon's standard error as its output. 0 or errno.
int spawn(const Hook& hook, pid_t& process) {
  auto command = command_of(hook);
  auto environment = hook.environment;
  environment.insert(environment.end(), {"WSL4_ROLE=" + hook.role, kPath});
  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t actions{};
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_init(&actions);
  sigset_t none{}, usual{};
  ::sigemptyset(&none);
  ::sigfillset(&usual);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  const int failed = ::posix_spawnp(&process, command.front().c_str(), &actions, &attributes, pointers(command).data(),
                                    pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return failed;
}

}  // namespace

HookRunner::HookRunner(boost::asio::io_context& io, OnFailed on_failed, std::chrono::milliseconds timeout)
    : on_failed_(std::move(on_failed)), timeout_(timeout), process_fd_(io), timer_(io) {}

void HookRunner::run(Hook hook) {
  if (!busy()) return start(std::move(hook));
  if (running_->role != hook.role) overtake();
  waiting_ = std::move(hook);
}

void HookRunner::leave() {
  waiting_.reset();
  failure_.reset();
  if (busy()) overtake();
}

void HookRunner::overtake() {
  if (!std::exchange(overtaken_, true)) ::kill(-process_, SIGTERM);
}

void HookRunner::start(Hook hook) {
  failure_.reset();
  // setpriv(1) would only end with a status.
  if (::access(hook.program.c_str(), X_OK) != 0) return failed(hook, fmt::format("cannot be run: {}", std::strerror(errno)));
  if (const int error = spawn(hook, process_); error != 0) {
    failed(hook, fmt::format("could not be started: {}", std::strerror(error)));
    return;
  }
  const int process_fd = static_cast<int>(::syscall(SYS_pidfd_open, process_, 0));
  if (process_fd < 0) {
    // Nobody would see its end.
    const int error = errno;
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    failed(hook, fmt::format("could not be watched: {}", std::strerror(error)));
    return;
  }
  running_ = std::move(hook);
  timed_out_ = overtaken_ = false;
  process_fd_.assign(process_fd);
  process_fd_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& cancelled) {
    if (!cancelled) ended();
  });
  timer_.expires_after(timeout_);
  timer_.async_wait([this, process = process_](const boost::system::error_code& cancelled) {
    if (cancelled || !running_ || process != process_) return;
    timed_out_ = true;
    ::kill(-process, SIGKILL);
  });
}

void HookRunner::ended() {
  int status = 0;
  if (overtaken_) ::kill(-process_, SIGKILL);  // what it has started meanwhile; the group is there until the end has been taken
  ::waitpid(process_, &status, 0);
  timer_.cancel();
  process_fd_.close();
  const auto hook = *std::exchange(running_, std::nullopt);
  if (timed_out_) {
    failed(hook, fmt::format("was killed after {} ms", timeout_.count()));
  } else if (overtaken_) {
    // However it ended.
  } else if (WIFSIGNALED(status)) {
    failed(hook, fmt::format("was ended by signal {}", WTERMSIG(status)));
  } else if (WEXITSTATUS(status) != 0) {
    failed(hook, fmt::format("ended with status {}", WEXITSTATUS(status)));
  }
  if (waiting_) start(*std::exchange(waiting_, std::nullopt));
}

void HookRunner::failed(const Hook& hook, const std::string& what) {
  failure_ = fmt::format("{} {}", hook.program, what);
  on_failed_(hook, what);
}

}  // namespace wsl4::pair
