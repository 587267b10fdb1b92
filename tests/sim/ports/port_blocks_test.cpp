#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>

#include "tests/sim/ports/steered.h"

namespace wsl4::sim {
namespace {

struct Shape {
  std::uint32_t addresses;
  int percent;
};

class Ports : public testing::TestWithParam<Shape> {
 protected:
  [[nodiscard]] std::size_t flows() const { return std::size_t{65535} * addresses_ / 100 * static_cast<std::size_t>(percent_); }
  [[nodiscard]] Kernel filled() const {
    Kernel kernel(addresses_, kSeed);
    kernel.fill(flows());
    return kernel;
  }

  static constexpr std::uint32_t kSeed = 20261125;
  const std::uint32_t addresses_ = GetParam().addresses;
  const int percent_ = GetParam().percent;
  const std::size_t arrivals_ = addresses_ > 2 ? 20'000 : 100'000;  // for two addresses most flows are others then
};

std::string name(const testing::TestParamInfo<Shape>& shape) {
  return std::to_string(shape.param.addresses) + "_addresses_" + std::to_string(shape.param.percent);
}

using DealtPorts = Ports;

TEST_P(DealtPorts, RefuseNobody) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  auto kernel = filled();
  Steered steered(kernel, addresses_, kSeed);
  steered.churn(arrivals_);
  const auto churned = steered.figures();
  EXPECT_EQ(churned.refused, 0U);

  steered.end(kernel.flows() / 2);
  steered.fill(flows());
  steered.churn(arrivals_ / 4);
  const auto& figures = steered.figures();
  EXPECT_EQ(figures.refused, 0U);
  std::printf("%2u addresses, %d %%: %zu flows, %zu refused; one deal for %zu flows changes %zu slots\n", addresses_, percent_,
              figures.arrivals, figures.refused, churned.arrivals / churned.deals, churned.changed_slots / churned.deals);
}

INSTANTIATE_TEST_SUITE_P(Use, DealtPorts,
                         testing::Values(Shape{2, 85}, Shape{2, 90}, Shape{2, 95}, Shape{2, 98}, Shape{2, 99}, Shape{16, 85},
                                         Shape{16, 90}, Shape{16, 95}, Shape{16, 98}, Shape{16, 99}),
                         name);

/// Refused of so many flows, while random others end. `take` is told how many came before.
double refused_part(Kernel& kernel, std::size_t arrivals, const std::function<bool(std::uint64_t)>& take) {
  const auto flows = kernel.flows();
  std::size_t refused = 0;
  for (std::uint64_t count = 0; count < arrivals; ++count) {
    if (!take(count)) ++refused;
    if (kernel.flows() > flows) kernel.end_random_flow();
  }
  return static_cast<double>(refused) / static_cast<double>(arrivals);
}

using OtherPorts = Ports;

TEST_P(OtherPorts, RefuseSome) {
  auto kernel = filled();
  const auto in_turn = refused_part(kernel, flows(), [&](std::uint64_t count) {
    const auto block = count / addresses_ % balance::kBlocksPerAddress;
    return kernel.take_from_block(static_cast<std::uint32_t>(count % addresses_), static_cast<std::uint16_t>(block)).has_value();
  });
  Kernel other(addresses_, kSeed);
  std::uint64_t count = 0;
  const auto fill = [&](std::size_t until) {
    std::size_t refused = 0;
    for (; other.flows() < until; ++count) refused += other.take_from_range(static_cast<std::uint32_t>(count % addresses_)) ? 0 : 1;
    return refused;
  };
  const auto last = other.capacity() / 20;
  fill(flows() - last);
  const auto refused = static_cast<double>(fill(flows()));
  const auto in_range = refused / (refused + static_cast<double>(last));
  std::printf("%2u addresses, %d %%: refused %.2f %% with blocks in turn, %.2f %% of the last that fill plain ranges\n", addresses_,
              percent_, 100 * in_turn, 100 * in_range);
  if (percent_ < 95) return;
  EXPECT_GT(in_turn, 0.01);
  EXPECT_GT(in_range, 0.01);
}

INSTANTIATE_TEST_SUITE_P(Use, OtherPorts,
                         testing::Values(Shape{2, 85}, Shape{2, 90}, Shape{2, 95}, Shape{2, 98}, Shape{2, 99}, Shape{16, 95}),
                         name);

}  // namespace
}  // namespace wsl4::sim
