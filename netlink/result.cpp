#include "netlink/result.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace wsl4::netlink {

std::string Error::message() const { return code == 0 ? what : what + ": " + std::generic_category().message(code); }

tl::unexpected<Error> failure(int code, std::string_view what) { return tl::make_unexpected(Error{code, std::string(what)}); }

tl::unexpected<Error> failure_from_errno(std::string_view what) { return failure(errno, what); }

}  // namespace wsl4::netlink
