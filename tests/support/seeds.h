// How many seeds a test goes through.
#pragma once

namespace wsl4::test {

/// Under a sanitizer, which makes each of them slower by far, a twentieth: it finds its faults in the first ones.
template <class Number>
constexpr Number seeds(Number usual) {
#ifdef WSL4_SANITIZED
  return (usual + 19) / 20;
#else
  return usual;
#endif
}

}  // namespace wsl4::test
