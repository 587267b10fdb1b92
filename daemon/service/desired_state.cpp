#include "daemon/service/desired_state.h"

#include <bit>

namespace wsl4::service {

MarkLayout::MarkLayout(std::uint32_t mask)
    : mask_(mask), closing_bit_(std::bit_floor(mask)), shift_(static_cast<unsigned>(std::countr_zero(mask))) {}

}  // namespace wsl4::service
