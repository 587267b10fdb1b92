#include "daemon/runtime/run.h"

int main(int argc, char** argv) {
  const auto options = wsl4::runtime::parse_options(argc, argv);
  return options ? wsl4::runtime::run(*options) : options.error();
}
