// How a metric is declared and collected; the tables of them, by subject.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include <prometheus/client_metric.h>

#include "daemon/metrics/metrics.h"

namespace wsl4::metrics {

using Labels = std::vector<prometheus::ClientMetric::Label>;
using Value = std::optional<double>;  // none: no sample

/// One value and the labels that tell it from others of its metric.
struct Sample {
  Labels labels;
  double value = 0;
};
using Samples = std::vector<Sample>;

struct Metric {
  Declaration declaration;
  Samples (*collect)(const control::Status&);
};

inline constexpr bool kCounter = true;

[[nodiscard]] std::vector<Metric> node_metrics();
/// Without samples on a single node.
[[nodiscard]] std::vector<Metric> pair_metrics();
[[nodiscard]] std::vector<Metric> service_metrics();
[[nodiscard]] std::vector<Metric> kernel_metrics();

template <class T>
double number(T value) {
  return static_cast<double>(value);
}

inline Samples single(double value) { return {{{}, value}}; }

template <class Duration>
Value seconds(const std::optional<Duration>& duration) {
  if (!duration) return std::nullopt;
  return std::chrono::duration<double>(*duration).count();
}

}  // namespace wsl4::metrics
