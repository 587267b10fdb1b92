// What nft itself says of a table: the oracle for what we encode.
#pragma once

#include <string>

#include "tests/support/namespace.h"

namespace wsl4::test {

/// Table inet wsl4 as `nft -j` lists it, one object a line, so that two of them can be compared: objects of a kind in order of
/// their names, rules in their own order, without handles. Throws where nft fails.
[[nodiscard]] std::string nft_listing(const Namespace& where);

}  // namespace wsl4::test
