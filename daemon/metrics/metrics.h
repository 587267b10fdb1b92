// What /metrics shows, in Prometheus' text format 0.0.4. Each metric is declared once, in the tables that metric.h names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/control/node.h"

namespace wsl4::metrics {

/// Name, kind and help of one metric; the unit is part of the name, as Prometheus has it.
struct Declaration {
  std::string_view name;
  std::string_view help;
  bool counter = false;  // else a gauge
};

/// All of them, in the order they are shown.
[[nodiscard]] std::vector<Declaration> declarations();

[[nodiscard]] std::string render(const control::Status& status);

}  // namespace wsl4::metrics
