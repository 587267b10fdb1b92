#include "daemon/pair/hash.h"

#define XXH_INLINE_ALL  // no library to link
#include <xxhash.h>

namespace wsl4::pair {

std::uint64_t hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace wsl4::pair
