// wsl4ctl with a fake daemon behind its socket, and what it has written.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "daemon/ctl/run.h"
#include "tests/support/node_bed.h"

namespace wsl4::ctl {

using Arguments = std::vector<std::string>;

class Wsl4ctl : public test::NodeBed {
 protected:
  int run_with(Arguments arguments) {
    arguments.insert(arguments.begin(), {"--socket", path_});
    return run_plainly(arguments);
  }
  int run_plainly(const std::vector<std::string>& arguments) {
    out_.clear();
    err_.clear();
    Console console;
    console.out = [this](std::string_view text) { out_ += text; };
    console.err = [this](std::string_view text) { err_ += text; };
    return run(arguments, console, machine_);
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.file(name)) << text;
    return folder_.file(name);
  }

  std::vector<host::Finding> findings_;
  tl::expected<runtime::PurgeReport, runtime::PurgeRefusal> purged_ = runtime::PurgeReport{true, false, 3, 0, 2000, 1, {}, {}};
  std::vector<std::string> purges_;
  Machine machine_{[this](const config::Config&) { return findings_; },
                   [this](const std::string& path, bool dry_run) {
                     purges_.push_back(path + (dry_run ? " dry" : ""));
                     return purged_;
                   }};
  std::string out_, err_;
};

}  // namespace wsl4::ctl
