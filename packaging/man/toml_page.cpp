// wsl4_man_toml EXAMPLE PAGE: writes wsl4.toml(5), with the example file in it.
#include <fstream>
#include <iostream>
#include <sstream>

#include "daemon/config/man.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: wsl4_man_toml EXAMPLE PAGE\n";
    return 2;
  }
  const std::ifstream example(argv[1]);
  std::ostringstream text;
  text << example.rdbuf();
  std::ofstream page(argv[2]);
  page << wsl4::config::man_page(WSL4_VERSION, text.str());
  page.close();
  if (!example || !page) {
    std::cerr << "wsl4_man_toml: cannot read " << argv[1] << " or write " << argv[2] << '\n';
    return 1;
  }
  return 0;
}
