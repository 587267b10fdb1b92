// Fills a Draft from a document, by the schema: types, ranges, unknown and missing settings. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/document.h"
#include "daemon/config/schema.h"

namespace wsl4::config {

/// A problem that does not know yet where it stands in the file.
struct Finding {
  KeyPath path;
  std::string what;
  bool at_key = false;  // it is the key that is wrong
};
using Findings = std::vector<Finding>;

/// What is wrong becomes a finding and leaves its default in the draft (an empty item in a list, so that indices hold).
[[nodiscard]] Draft read_draft(const Table& document, Findings& findings);

}  // namespace wsl4::config
