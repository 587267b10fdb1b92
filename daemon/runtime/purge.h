// Takes everything of wsl4 out of the kernel: the table, the addresses, the flows; and gives the sysctls their old values back. The
// daemon must not be running. Used by wsl4ctl, in wsl4ctl's process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace wsl4::runtime {

struct PurgeReport {
  bool table_removed = false;
  bool table_there = false;  // still, or nobody knows
  std::size_t addresses = 0, links = 0, flows = 0, sysctls = 0;
  std::vector<std::string> left;      // what somebody else has changed since, and stays so
  std::vector<std::string> failures;  // what could not be undone, and why
};

/// Why nothing was done at all.
struct PurgeRefusal {
  std::string why;
  bool by_configuration = false;  // which is broken
};

/// Reads the state directory and the mark's layout from the configuration; a missing file means the defaults. Goes on after what
/// cannot be undone. Where no daemon has left its state or
/// its table, a broken file is no obstacle, and marks are taken for somebody else's. `dry_run`: changes nothing, and the report
/// says nothing.
[[nodiscard]] tl::expected<PurgeReport, PurgeRefusal> purge(const std::string& config_path, bool dry_run);

}  // namespace wsl4::runtime
