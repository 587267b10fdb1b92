#include <utility>

#include <boost/json/serialize.hpp>

#include "daemon/ctl/ask.h"
#include "daemon/ctl/commands.h"
#include "daemon/ctl/fields.h"
#include "daemon/ctl/run.h"

namespace wsl4::ctl {
namespace {

int change_role(const Options& options, const Console& console, std::string path, const boost::json::object& body) {
  Call request = make_call(options, std::move(path));
  request.method = "POST";
  request.body = boost::json::serialize(body);
  request.timeout = kChangeTimeout;
  const auto report = ask(request, console);
  if (!report) return report.error();
  console.out(options.json ? json_text(*report) : text_in(*report, "detail") + "\n");
  return kExitDone;
}

}  // namespace

int failover(const Options& options, const Console& console) {
  return change_role(options, console, "/v1/failover", {{"force", options.force}});
}

int set_role(const Options& options, const Console& console) {
  return change_role(options, console, "/v1/role", {{"role", options.command == Command::kPromote ? "active" : "standby"}});
}

}  // namespace wsl4::ctl
