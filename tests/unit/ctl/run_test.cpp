#include "daemon/ctl/run.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <stdexcept>

#include <gtest/gtest.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>

#include "daemon/control/json.h"
#include "daemon/ctl/client.h"
#include "daemon/ctl/watch.h"
#include "daemon/http/json.h"
#include "daemon/http/unix_socket.h"
#include "daemon/peer/key_file.h"
#include "tests/unit/ctl/ctl_bed.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

constexpr const char* kGoodFile = R"(
[[service]]
name = "chat"
listen = ["203.0.113.10:443"]
mode = "dnat"
[[service.backend]]
address = "198.51.100.101:8888"
)";

TEST_F(Wsl4ctl, StatusAsTextAndJson) {
  serve();
  EXPECT_EQ(run_with({"status"}), 0);
  EXPECT_TRUE(out_.starts_with("lb-a  active since")) << out_;
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run_with({"status", "--json"}), 0);
  EXPECT_EQ(json::parse(out_), json::parse(http::to_text(control::to_json(test::example_status()))));
}

TEST_F(Wsl4ctl, ADaemonThatIsNotThereIsStatus3WithWhatToDo) {
  for (const auto& arguments :
       {Arguments{"status"}, Arguments{"reload"}, Arguments{"flows"}, Arguments{"events"},
        Arguments{"backend", "reset", "chat", "b1"}, Arguments{"pick", "chat"}, Arguments{"rebalance", "chat", "--rate", "5"}}) {
    EXPECT_EQ(run_with(arguments), 3);
    EXPECT_EQ(err_, "wsl4ctl: no control socket at " + path_ +
                        ": start the daemon (systemctl start wsl4d), or name its socket with --socket\n");
    EXPECT_EQ(out_, "");
  }
}

TEST_F(Wsl4ctl, ADaemonThatHasEndedIsStatus3) {
  const auto dead = http::listen_unix_socket(path_, 1);
  ASSERT_TRUE(dead);
  ::close(dead->descriptor);
  EXPECT_EQ(run_with({"status"}), 3);
  EXPECT_TRUE(err_.starts_with("wsl4ctl: nobody listens on " + path_ + ": the daemon has ended")) << err_;
}

TEST_F(Wsl4ctl, NoPermissionIsStatus3) {
  serve();
  ASSERT_EQ(::chmod(folder_.file("").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0), 0);
  // Root may all the same, so a thread becomes somebody else; by the bare system call, which leaves the other threads alone.
  auto nobody = std::async(std::launch::async, [this] {
    constexpr int kNobody = 65534;
    if (::geteuid() == 0 && ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) return -1;
    return run_with({"status"});
  });
  EXPECT_EQ(nobody.get(), 3);
  EXPECT_EQ(err_, "wsl4ctl: permission denied on " + path_ + ": run this as root or as a member of group wsl4\n");
}

TEST_F(Wsl4ctl, SomethingElseOnTheSocketIsStatus3) {
  const auto other = http::listen_unix_socket(path_, 4);
  ASSERT_TRUE(other);
  const netlink::Fd listener(other->descriptor);
  auto peer = std::async(std::launch::async, [&listener] {
    pollfd waiting{listener.get(), POLLIN, 0};
    ::poll(&waiting, 1, 30'000);
    const netlink::Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return ::send(client.get(), "SSH-2.0-x\r\n", 11, MSG_NOSIGNAL);
  });
  EXPECT_EQ(run_with({"status"}), 3);
  EXPECT_EQ(peer.get(), 11);
  EXPECT_NE(err_.find("is it the daemon's control socket?"), std::string::npos) << err_;
}

TEST_F(Wsl4ctl, RefusalsAreStatus1AndOneLine) {
  node_.status_answer = tl::make_unexpected(control::Refusal{500, "the kernel does not answer", {"try again"}});
  serve();
  EXPECT_EQ(run_with({"status"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: the kernel does not answer: try again\n");
  EXPECT_EQ(run_with({"pick", "chat"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: No backend has room\n");
}

// One document, also where it tells what went wrong itself; the line on standard error is there too.
TEST_F(Wsl4ctl, WithJsonAnErrorIsADocument) {
  const auto error = [this](const Arguments& arguments, int status) {
    EXPECT_EQ(run_with(arguments), status) << out_;
    EXPECT_TRUE(err_.starts_with("wsl4ctl: ")) << err_;
    EXPECT_EQ(out_.find('\n'), out_.size() - 1) << out_;
    return json::parse(out_).as_object().at("error").as_object();
  };
  EXPECT_TRUE(error({"status", "--json"}, 3).at("title").as_string().starts_with("no control socket at "));
  EXPECT_EQ(error({"--json", "dance"}, 2).at("title"), "there is no command 'dance'; see wsl4ctl --help");
  node_.status_answer = tl::make_unexpected(control::Refusal{500, "the kernel does not answer", {"why", "and how"}});
  serve();
  const auto refusal = error({"status", "--json"}, 1);
  EXPECT_EQ(refusal.at("status"), 500);
  EXPECT_EQ(refusal.at("title"), "the kernel does not answer");
  EXPECT_EQ(refusal.at("problems"), (json::array{"why", "and how"}));
  findings_ = {{host::Finding::Severity::kError, "chain ip filter FORWARD drops", ""}};
  EXPECT_EQ(run_plainly({"check", write("good.toml", kGoodFile), "--json"}), 1);
  EXPECT_EQ(json::parse(out_).as_object().at("ok"), false);
}

TEST_F(Wsl4ctl, Reload) {
  serve();
  EXPECT_EQ(run_with({"reload"}), 0);
  EXPECT_EQ(out_, "reloaded; nothing changed\n");
  EXPECT_EQ(run_with({"reload", "--dry-run"}), 0);
  EXPECT_EQ(out_, "nothing would change\n");
}

TEST_F(Wsl4ctl, ReloadThatChanges) {
  node_.reload_answer = control::ReloadReport{true, "add chain inet wsl4 x", {"control.socket needs a restart"}};
  serve();
  EXPECT_EQ(run_with({"reload"}), 0);
  EXPECT_EQ(out_, "reloaded\n");
  EXPECT_EQ(err_, "warning: control.socket needs a restart\n");
  EXPECT_EQ(run_with({"reload", "--dry-run"}), 0);
  EXPECT_EQ(out_, "add chain inet wsl4 x\n");
  EXPECT_EQ(run_with({"--json", "reload"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("changed"), true);
  thread_.run([this] { node_.reload_answer = control::ReloadReport{true, "", {}}; });
  EXPECT_EQ(run_with({"reload", "--dry-run"}), 0);
  EXPECT_EQ(out_, "nothing would change in the kernel's rules, only what the daemon itself does\n");
  thread_.run([this] { node_.reload_answer->read_anew = {"control.token_file", "ha.key_file"}; });
  EXPECT_EQ(run_with({"reload"}), 0);
  EXPECT_EQ(out_, "reloaded; read anew: control.token_file, ha.key_file\n");
  EXPECT_EQ(run_with({"reload", "--dry-run"}), 0);
  EXPECT_EQ(out_,
            "nothing would change in the kernel's rules, only what the daemon itself does\n"
            "# would be read anew: control.token_file, ha.key_file\n");
  thread_.run([this] {
    auto& report = node_.reload_answer = control::ReloadReport{true, "add chain inet wsl4 x", {}};
    report->addresses_added = {{*netlink::IpAddress::parse("203.0.113.11"), "eth0"}};
    report->addresses_removed = {{*netlink::IpAddress::parse("198.51.100.16"), "eth1"}};
    report->sysctls = {{"net/ipv4/ip_forward", "0", "1"}};
  });
  EXPECT_EQ(run_with({"reload", "--dry-run"}), 0);
  EXPECT_EQ(out_,
            "add chain inet wsl4 x\n"
            "# would be put on eth0: 203.0.113.11\n"
            "# would be taken off eth1 once no connection uses it: 198.51.100.16\n"
            "# sysctl net/ipv4/ip_forward would be 1, is 0\n");
  EXPECT_EQ(run_with({"reload"}), 0);
  EXPECT_EQ(out_, "reloaded\n");
}

TEST_F(Wsl4ctl, ReloadOfABadFileIsStatus2WithEveryProblem) {
  node_.reload_answer =
      tl::make_unexpected(control::Refusal{422, "the configuration has 2 errors; nothing was changed", {"f:1:1: x", "f:2:1: y"}});
  serve();
  EXPECT_EQ(run_with({"reload"}), 2);
  EXPECT_EQ(err_, "f:1:1: x\nf:2:1: y\nwsl4ctl: the configuration has 2 errors; nothing was changed\n");
}

TEST_F(Wsl4ctl, FlowsPassTheirFiltersOn) {
  node_.known_flows.resize(1);
  serve();
  EXPECT_EQ(run_with({"flows", "--snat", "[2001:db8::1]:5", "--service", "a&b", "--limit", "3"}), 0);
  EXPECT_TRUE(out_.starts_with("SERVICE")) << out_;
  EXPECT_EQ(run_with({"flows", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("flows").as_array().size(), 1U);
  thread_.stop();
  EXPECT_EQ(node_.flow_queries.at(0).snat, netlink::Endpoint::parse("[2001:db8::1]:5"));
  EXPECT_EQ(node_.flow_queries.at(0).service, "a&b");
}

TEST_F(Wsl4ctl, Events) {
  node_.known_events = {{1, {}, "started", "", "", "2 services"}};
  serve();
  EXPECT_EQ(run_with({"events"}), 0);
  EXPECT_EQ(out_, "1970-01-01T00:00:00Z  started: 2 services\n");
  EXPECT_EQ(run_with({"events", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("events").as_array().size(), 1U);
}

/// The daemon restarts after a few requests, as a user would see it while following; what it then breaks ends that.
TEST_F(Wsl4ctl, FollowingEventsAsksForWhatIsNewAndGoesOnAfterARestart) {
  node_.known_events = {{1, {}, "started", "", "", ""}, {2, {}, "reloaded", "", "", ""}};
  boost::asio::steady_timer pause(thread_.io());
  node_.on_events = [&](std::size_t asked) {
    if (asked == 2) node_.known_events.push_back({3, {}, "ruleset-repaired", "", "", ""});
    if (asked == 3) {
      server_->stop();
      node_.known_events = {{1, {}, "started", "", "", ""}};
      pause.expires_after(std::chrono::milliseconds(50));
      pause.async_wait([&](const boost::system::error_code&) {
        server_ = control::start_server(thread_.io(), {path_, std::nullopt}, node_).value();
      });
    }
    if (asked == 5) throw std::runtime_error("the end");
  };
  serve();
  EXPECT_EQ(run_with({"events", "--follow", "--json"}), 1);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 6) << out_;  // four events, and both errors
  EXPECT_NE(err_.find("no control socket"), std::string::npos) << err_;
  thread_.stop();
  std::vector<std::uint64_t> asked;
  for (const auto& [after, wait] : node_.event_queries) asked.push_back(after);
  EXPECT_EQ(asked, (std::vector<std::uint64_t>{0, 2, 3, 0, 1}));
  EXPECT_GT(node_.event_queries[1].second.count(), 0);
}

TEST_F(Wsl4ctl, CheckOfAGoodFile) {
  const std::string file = write("good.toml", kGoodFile);
  EXPECT_EQ(run_plainly({"check", file}), 0);
  EXPECT_EQ(out_, file + ": valid: 1 service, 1 backend, 0 pools\nnothing on this machine stands in the way\n") << err_;
}

TEST_F(Wsl4ctl, CheckOfAnEmptyFileSaysThatNothingIsDefined) {
  const std::string file = write("empty.toml", "");
  EXPECT_EQ(run_plainly({"check", file}), 0);
  EXPECT_TRUE(out_.starts_with(file + ": valid, but no service is defined")) << out_;
}

TEST_F(Wsl4ctl, CheckOfAPathThatIsNoUtf8IsValidJson) {
  EXPECT_EQ(run_plainly({"check", "--json", "/nowhere/\xff.toml"}), 2);
  EXPECT_EQ(json::parse(out_).as_object().at("file"), "/nowhere/\xef\xbf\xbd.toml");
}

TEST_F(Wsl4ctl, CheckOfABrokenFileIsStatus2) {
  const std::string file = write("bad.toml", "[node]\nname = 5\ncolour = 1\n");
  EXPECT_EQ(run_plainly({"check", file}), 2);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 2) << err_;
  EXPECT_TRUE(err_.starts_with(file + ":2:")) << err_;
  EXPECT_EQ(run_plainly({"check", file, "--json"}), 2);
  const auto document = json::parse(out_).as_object();
  EXPECT_EQ(document.at("ok"), false);
  EXPECT_EQ(document.at("problems").as_array().size(), 2U);
  EXPECT_EQ(run_plainly({"check", folder_.file("none.toml")}), 2);
}

TEST_F(Wsl4ctl, CheckTellsWhatStandsInTheWay) {
  using Severity = host::Finding::Severity;
  const std::string file = write("good.toml", kGoodFile);
  findings_ = {{Severity::kWarning, "strict rp_filter on eth0", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"}};
  EXPECT_EQ(run_plainly({"check", file}), 0);
  EXPECT_EQ(out_, file +
                      ": valid: 1 service, 1 backend, 0 pools\nwarning: strict rp_filter on eth0\n"
                      "  to mend it: sysctl -w net.ipv4.conf.eth0.rp_filter=2\n");
  findings_.push_back({Severity::kError, "chain ip filter FORWARD drops", ""});
  EXPECT_EQ(run_plainly({"check", file}), 1);
  EXPECT_EQ(err_, "wsl4ctl: 1 thing on this machine to mend before wsl4d can do its work, listed above\n");
  EXPECT_EQ(run_plainly({"check", file, "--json"}), 1);
  const auto document = json::parse(out_).as_object();
  EXPECT_EQ(document.at("ok"), false);
  EXPECT_EQ(document.at("findings").as_array().at(1).as_object().at("severity"), "error");
  findings_ = {{Severity::kNote, "a flood can take all", "lower the timeout"}};
  EXPECT_EQ(run_plainly({"check", file}), 0);
  EXPECT_TRUE(out_.ends_with("nothing on this machine stands in the way\nnote: a flood can take all\n  lower the timeout\n"))
      << out_;
}

TEST_F(Wsl4ctl, KeygenPrintsANewKeyEachTime) {
  ASSERT_EQ(run_plainly({"keygen"}), 0);
  const std::string first = out_;
  EXPECT_TRUE(peer::parse_keys(first, "out")) << first;
  ASSERT_EQ(run_plainly({"keygen", "--json"}), 0);
  const std::string second(json::parse(out_).as_object().at("key").as_string());
  EXPECT_TRUE(peer::Key::parse(second)) << second;
  EXPECT_NE(first, second + "\n");
}

TEST_F(Wsl4ctl, KeygenMakesAFileOnce) {
  const std::string file = folder_.file("peer.key");
  ASSERT_EQ(run_plainly({"keygen", file}), 0) << err_;
  EXPECT_EQ(out_, file + " has a new key; the other node needs the same file\n");
  const auto keys = peer::load_keys(file);
  ASSERT_TRUE(keys);
  EXPECT_EQ(run_plainly({"keygen", file}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_,
            "wsl4ctl: " + file + " is there already and was left as it is (for a further key: wsl4ctl keygen >> " + file + ")\n");
  EXPECT_EQ(peer::load_keys(file)->front().id(), keys->front().id());
  EXPECT_EQ(run_plainly({"keygen", folder_.file("no/peer.key")}), 1);
  EXPECT_EQ(err_, "wsl4ctl: cannot create " + folder_.file("no/peer.key") + ": No such file or directory\n");
}

TEST_F(Wsl4ctl, ADaemonThatAcceptsNobodyIsNotWaitedForForEver) {
  const auto socket = http::listen_unix_socket(path_, 0);
  ASSERT_TRUE(socket) << socket.error();
  const netlink::Fd listening(socket->descriptor);
  const auto queued = probe(path_);  // fills the queue, also when it has gone
  ASSERT_TRUE(queued) << queued.error().message;
  const auto reply = call({.socket = path_, .target = "/v1/status", .timeout = std::chrono::seconds(1)});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, Unreachable::Kind::kTimeout) << reply.error().message;
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_TRUE(err_.starts_with("wsl4ctl: cannot tell whether the daemon runs: ")) << err_;
  http::remove_socket_file(*socket);
}

TEST_F(Wsl4ctl, PurgeIsRefusedWhileTheDaemonRuns) {
  serve();
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: the daemon runs (it answers on " + path_ + "): stop it first (systemctl stop wsl4d)\n");
  EXPECT_TRUE(purges_.empty());
}

TEST_F(Wsl4ctl, PurgeAsksTheSocketOfTheConfigurationToo) {
  serve();
  const std::string file = write("good.toml", "[control]\nsocket = \"" + path_ + "\"\n" + kGoodFile);
  EXPECT_EQ(run_plainly({"purge", "--config", file}), 1);
  EXPECT_TRUE(purges_.empty()) << out_ << err_;
}

TEST_F(Wsl4ctl, PurgeSaysWhatStandsInTheWayWhileTheDaemonRunsToo) {
  serve();
  EXPECT_EQ(run_with({"purge", "--dry-run", "--config", "/nowhere.toml"}), 0);
  EXPECT_EQ(out_, "nothing stands in the way\n");
  EXPECT_EQ(run_with({"purge", "--dry-run", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("possible"), true);
  EXPECT_EQ(purges_, (std::vector<std::string>{"/nowhere.toml dry", "/etc/wsl4/wsl4.toml dry"}));
  purged_ = tl::make_unexpected(runtime::PurgeRefusal{"/nowhere.toml:1:1: is broken", true});
  for (const auto& arguments : {Arguments{"purge", "--dry-run"}, Arguments{"purge"}}) {
    thread_.stop();
    server_.reset();
    EXPECT_EQ(run_with(arguments), 2);
    EXPECT_EQ(err_, "wsl4ctl: /nowhere.toml:1:1: is broken\n");
  }
}

TEST_F(Wsl4ctl, PurgeTellsWhatItDid) {
  EXPECT_EQ(run_with({"purge", "--config", "/nowhere.toml"}), 0);
  EXPECT_EQ(out_, "table removed, 3 addresses removed, 2,000 flows ended, 1 sysctl restored\n");
  EXPECT_EQ(purges_, std::vector<std::string>{"/nowhere.toml"});
  EXPECT_EQ(run_with({"purge", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("flows"), 2000);
  purged_->links = 2;
  EXPECT_EQ(run_with({"purge"}), 0);
  EXPECT_EQ(out_, "table removed, 3 addresses removed, 2,000 flows ended, 1 sysctl restored, 2 macvlan interfaces removed\n");
  purged_->links = 0;
  purged_->left = {"sysctl a is 2, not 1 as wsl4 set it: left so"};
  EXPECT_EQ(run_with({"purge"}), 0);
  EXPECT_EQ(out_, "table removed, 3 addresses removed, 2,000 flows ended, 1 sysctl restored\n" + purged_->left[0] + "\n");
  EXPECT_EQ(run_with({"purge", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("left").as_array().size(), 1U);
  purged_->failures = {"address 198.51.100.16: permission denied"};
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: address 198.51.100.16: permission denied\n");
  purged_->table_removed = false;
  purged_->table_there = true;
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_TRUE(out_.starts_with("table not removed, ")) << out_;
  purged_->table_there = false;
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_TRUE(out_.starts_with("no table was there, ")) << out_;
  purged_ = tl::make_unexpected(runtime::PurgeRefusal{"needs root"});
  EXPECT_EQ(run_with({"purge"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: needs root\n");
}

TEST(Frame, FillsTheScreenAndNoMore) {
  EXPECT_EQ(frame("a\nb\nc\n", 2), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
  EXPECT_EQ(frame("a\n\nb", 5), "\x1b[Ha\x1b[K\r\n\x1b[K\r\nb\x1b[K\x1b[J");
  EXPECT_EQ(frame("", 5), "\x1b[H\x1b[J");
}

TEST(Watch, RedrawsUntilInterruptedAndLeavesTheTerminalAsItWas) {
  std::string out;
  Console console;
  console.terminal = true;
  console.out = [&out](std::string_view text) { out += text; };
  int drawn = 0;
  EXPECT_EQ(watch(console,
                  [&drawn]() -> std::string {
                    if (++drawn == 2) ::raise(SIGINT);
                    return "frame\n";
                  }),
            0);
  EXPECT_EQ(drawn, 2);
  EXPECT_TRUE(out.starts_with("\x1b[?1049h")) << out;
  EXPECT_TRUE(out.ends_with("\x1b[?1049l")) << out;
}

}  // namespace
}  // namespace wsl4::ctl
