// wsload: WebSocket echo load with real handshakes and masked frames.
//
//   wsload server LISTEN...                echo server on each address:port
//   wsload client TARGET SOURCE[+COUNT]    connections to TARGET from COUNT source addresses in turn
//
// Answers are lines of JSON on standard output; commands are lines on standard input, and its end is the program's:
//   report                       counts since the start
//   open N CONCURRENCY SECONDS   N more connections
//   echo SIZE SECONDS            one message on each connection, within 0.2 s, and its answer, beside what start does
//   start SIZE INTERVAL_MS       from now on a message on each connection every INTERVAL_MS, beside all other commands
//   stop SECONDS                 end that, and wait for the answers that are due
//   bench SIZE SECONDS           each connection sends again as soon as its answer is there
//   churn N CONCURRENCY ECHO HOW PATIENCE
//                                N connections in turn, with one message each if ECHO is 1, closed by HOW (fin or reset) or given
//                                up after PATIENCE seconds; CONCURRENCY: most that are under way
//   close N HOW                  the first N connections (0: all)
//   longest                      longest_ms, from a message to its echo, since last asked
//   who                          source address and backend of every open connection
// The server knows only report.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "tests/e2e/tools/wsload/client.h"
#include "tests/e2e/tools/wsload/server.h"

namespace {

int usage() {
  std::fputs("usage: wsload server LISTEN... | wsload client TARGET SOURCE[+COUNT]\n", stderr);
  return 2;
}

int serve(const std::vector<std::string>& arguments) {
  std::vector<wsload::SocketAddress> listen;
  for (const auto& argument : arguments) {
    const auto address = wsload::parse_endpoint(argument);
    if (!address) return usage();
    listen.push_back(*address);
  }
  wsload::Server(listen).run();
  return 0;
}

int load(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) return usage();
  const auto target = wsload::parse_endpoint(arguments[0]);
  const auto sources = wsload::SourceRange::parse(arguments[1]);
  if (!target || !sources) return usage();
  wsload::Client(*target, *sources).run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves no load behind
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) return usage();
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (arguments[0] == "server") return serve(rest);
  if (arguments[0] == "client") return load(rest);
  return usage();
}
