// Errors as RFC 9457 problem documents.
#pragma once

#include <string>
#include <vector>

#include "daemon/http/message.h"

namespace wsl4::http {

/// `details` are sentences for people: they make up "detail", one a line, and if there are several also the array "problems".
[[nodiscard]] Response problem(unsigned status, const std::string& title, const std::vector<std::string>& details = {});

}  // namespace wsl4::http
