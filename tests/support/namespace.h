// Network namespaces for tests that need the kernel. Needs root and iproute2; without them the constructor throws, so the test
// fails and says why.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

namespace wsl4::test {

struct CommandResult {
  int status = 0;      // exit status; 128 + signal where one ended it
  std::string output;  // standard output and error together
};

/// Runs `/bin/sh -c command` and waits for it. `input` goes to its standard input.
CommandResult run_shell(const std::string& command, const std::string& input = {});

/// A network namespace of its own name, with its loopback up, removed again by the destructor.
class Namespace {
 public:
  /// `label` becomes part of the name; keep it short.
  explicit Namespace(std::string_view label);
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  /// Moves the calling thread into the namespace for the rest of its life.
  void enter() const;

  /// Runs `function` on a thread inside the namespace and returns what it returns; exceptions pass through. Sockets opened there
  /// stay in the namespace wherever they are used.
  template <class Function>
  auto run(Function&& function) const -> std::invoke_result_t<Function>;

  /// Runs a shell command inside and waits for it. Leaves its outcome to the caller.
  [[nodiscard]] CommandResult exec(const std::string& command, const std::string& input = {}) const;
  /// The same for commands that must succeed: throws with their output otherwise; returns it.
  std::string must(const std::string& command, const std::string& input = {}) const;

  /// Connects this namespace with another one by a pair of virtual cards, both up.
  void link(const std::string& interface, const Namespace& other, const std::string& other_interface) const;

 private:
  std::string name_;
};

template <class Function>
auto Namespace::run(Function&& function) const -> std::invoke_result_t<Function> {
  using Value = std::invoke_result_t<Function>;
  std::exception_ptr error;
  const auto guarded = [&](auto&& body) {
    std::thread thread([&] {
      try {
        enter();
        body();
      } catch (...) { error = std::current_exception(); }
    });
    thread.join();
    if (error) std::rethrow_exception(error);
  };
  if constexpr (std::is_void_v<Value>) {
    guarded(function);
  } else {
    std::optional<Value> value;
    guarded([&] { value.emplace(function()); });
    return std::move(*value);
  }
}

}  // namespace wsl4::test
