// The error type of this library: why a session ends, and the words that say it. Both travel to the peer (wire.h, Bye).
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace wsl4::sync {

/// Numbers of the wire format: they never change their meaning.
enum class Reason : std::uint8_t {
  kLeaving = 1,        // the node stops; nothing is wrong
  kVersion = 2,        // no version of the wire format that both know
  kConfiguration = 3,  // a setting differs that must be the same on both nodes
  kItself = 4,         // the connection leads back to the node that made it
  kProtocol = 5,       // bytes that the wire format does not allow
  kSilence = 6,        // nothing was heard for too long
};

struct Error {
  Reason reason = Reason::kProtocol;
  std::string text;  // one line for an operator
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> failure(Reason reason, std::string text) {
  return tl::unexpected(Error{reason, std::move(text)});
}

}  // namespace wsl4::sync
