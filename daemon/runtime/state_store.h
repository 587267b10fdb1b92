// What must outlive the daemon and the kernel does not know: the sysctls that it changed, the values by which flows' timers began,
// the backends whose share still grows, and where in their marks flows have their numbers. The sysctls do not outlive the machine's
// boot: afterwards they are as somebody else has set them, and no flow is left. One JSON file, `state.json` in the state directory,
// replaced as a whole, before anything it tells of is done if storage takes it, else as soon as it does.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <tl/expected.hpp>

#include "daemon/flows/idle.h"
#include "daemon/host/host.h"
#include "daemon/service/newcomers.h"
#include "daemon/util/file.h"

namespace wsl4::runtime {

struct State {
  std::map<std::string, host::ChangedSysctl> sysctls;  // by name
  std::vector<service::Newcomer> newcomers;
  flows::TimeoutHistory timeouts = {};
  std::uint32_t mark_mask = 0;  // node.ct_mark_mask that flows were last marked within; 0: not known

  /// The value before the first change stays the one to go back to.
  void note_change(const std::string& name, const std::string& present, const std::string& value);
  /// nf_conntrack_tcp_timeout_established is `present` and is about to be `value`.
  void note_timeouts(const std::string& present, const std::string& value);
  friend bool operator==(const State&, const State&) = default;
};

/// The kernel's name for this boot (random(4)); empty if it does not tell. In a container it may be another one for a unit with a
/// mount namespace of its own than for a shell, so a difference alone does not prove a reboot.
[[nodiscard]] std::string running_boot();

class StateStore {
 public:
  explicit StateStore(std::string directory, std::string boot = running_boot())
      : path_(std::move(directory) + "/state.json"), boot_(std::move(boot)) {}

  /// No file is an empty state; a broken one is an error, since the old values in it would be lost. Sysctls of another boot are
  /// left out, unless the caller knows that it is this one; values of timers always.
  [[nodiscard]] tl::expected<State, std::string> load(bool surely_this_boot = false) const;
  [[nodiscard]] std::string text(const State& state) const;
  [[nodiscard]] tl::expected<void, std::string> save(const State& state) const { return util::replace_file(path_, {text(state)}); }
  [[nodiscard]] tl::expected<void, std::string> remove() const { return util::remove_file(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_, boot_;
};

}  // namespace wsl4::runtime
