// One question to the daemon and what it answers; a refusal is told, and becomes the exit status.
#pragma once

#include <chrono>
#include <string>

#include <boost/json/object.hpp>
#include <tl/expected.hpp>

#include "daemon/ctl/client.h"
#include "daemon/ctl/console.h"
#include "daemon/ctl/options.h"

namespace wsl4::ctl {

/// For changes: a reload may be on its way, a queue drain, the peer take its time to answer.
inline constexpr std::chrono::seconds kChangeTimeout{60};

/// How a refusal's problems are shown: in the one line that says why, or (those of a file) each on its own line before it.
enum class Problems : unsigned char { kInOneLine, kALineEach };

/// The document that the daemon answers with; else the exit status, after having said why.
[[nodiscard]] tl::expected<boost::json::object, int> ask(const Call& request, const Console& console,
                                                         Problems problems = Problems::kInOneLine);

/// GET of `target` on the socket of the options.
[[nodiscard]] Call make_call(const Options& options, std::string target);

}  // namespace wsl4::ctl
