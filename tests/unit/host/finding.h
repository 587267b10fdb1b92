// What `check` has found, by parts of its texts.
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "daemon/host/check.h"

namespace wsl4::host {

inline auto finding(Finding::Severity severity, const std::string& what, const std::string& remedy) {
  using testing::AllOf, testing::Field, testing::HasSubstr;
  return AllOf(Field(&Finding::severity, severity), Field(&Finding::what, HasSubstr(what)),
               Field(&Finding::remedy, HasSubstr(remedy)));
}

}  // namespace wsl4::host
