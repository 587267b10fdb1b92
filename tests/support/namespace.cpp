#include "tests/support/namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "netlink/handle.h"

namespace wsl4::test {

namespace {

using netlink::Fd;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

std::pair<Fd, Fd> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(std::string("pipe: ") + std::strerror(errno));
  return {Fd(ends[0]), Fd(ends[1])};
}

/// A socket as the child's standard input, for MSG_NOSIGNAL: a child that ends without reading must not end the test.
std::pair<Fd, Fd> make_input() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    fail(std::string("socketpair: ") + std::strerror(errno));
  return {Fd(ends[0]), Fd(ends[1])};
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto length = ::read(fd, buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

CommandResult run_shell(const std::string& command, const std::string& input) {
  auto [input_child, input_parent] = make_input();
  auto [output_parent, output_child] = make_pipe();
  const auto pid = ::fork();
  if (pid < 0) fail(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    ::dup2(input_child.get(), STDIN_FILENO);
    ::dup2(output_child.get(), STDOUT_FILENO);
    ::dup2(output_child.get(), STDERR_FILENO);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  input_child.reset();
  output_child.reset();
  std::thread feeder([&input, writer = std::move(input_parent)]() mutable {
    write_all(writer.get(), input);
    writer.reset();
  });
  CommandResult result;
  result.output = read_all(output_parent.get());
  feeder.join();
  result.status = wait_for(pid);
  return result;
}

Namespace::Namespace(std::string_view label) {
  static std::atomic<int> counter{0};
  name_ = "wsl4-" + std::string(label) + "-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
  const auto added = run_shell("ip netns add " + name_);
  if (added.status != 0) fail("cannot make network namespace " + name_ + " (root and iproute2 are needed): " + added.output);
  must("ip link set lo up");
}

Namespace::~Namespace() { run_shell("ip netns del " + name_); }

void Namespace::enter() const {
  const Fd fd(::open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::setns(fd.get(), CLONE_NEWNET) != 0) fail("enter namespace " + name_ + ": " + std::strerror(errno));
}

CommandResult Namespace::exec(const std::string& command, const std::string& input) const {
  return run([&] { return run_shell(command, input); });
}

std::string Namespace::must(const std::string& command, const std::string& input) const {
  auto result = exec(command, input);
  if (result.status != 0)
    fail("'" + command + "' in " + name_ + " ended with " + std::to_string(result.status) + ": " + result.output);
  return std::move(result.output);
}

void Namespace::link(const std::string& interface, const Namespace& other, const std::string& other_interface) const {
  must("ip link add " + interface + " type veth peer name " + other_interface + " netns " + other.name());
  must("ip link set " + interface + " up");
  other.must("ip link set " + other_interface + " up");
}

}  // namespace wsl4::test
