// backend …, rebalance and pick: what they ask of the daemon, and what they say.
#include <tuple>

#include <boost/json/parse.hpp>

#include "daemon/control/body.h"
#include "tests/unit/ctl/ctl_bed.h"

namespace wsl4::ctl {
namespace {

namespace json = boost::json;

TEST_F(Wsl4ctl, ABackendIsAdded) {
  node_.change_answer = control::ChangeReport{service::Applied::kCreated, 0, {}};
  serve();
  EXPECT_EQ(run_with({"backend", "add", "chat", "b4", "198.51.100.104:8888", "--weight", "50", "--max-connections", "9", "--public",
                      "ws://b4"}),
            0);
  EXPECT_EQ(out_, "chat/b4 added at 198.51.100.104:8888\n");
  EXPECT_EQ(err_, "");
  thread_.run([this] { node_.change_answer = control::ChangeReport{}; });
  EXPECT_EQ(run_with({"backend", "add", "chat", "b4", "198.51.100.104:8888"}), 0);
  EXPECT_EQ(out_, "chat/b4 is so already; nothing changed\n");
  thread_.stop();
  const auto& [service, backend, change] = node_.changes.at(0);
  EXPECT_EQ(service + "/" + backend, "chat/b4");
  const auto& add = std::get<service::AddBackend>(change);
  EXPECT_EQ(add.address, netlink::Endpoint::parse("198.51.100.104:8888"));
  EXPECT_EQ(add.weight, 50);
  EXPECT_EQ(add.max_connections, 9U);
  EXPECT_EQ(add.public_address, "ws://b4");
  EXPECT_EQ(std::get<service::AddBackend>(std::get<2>(node_.changes.at(1))).weight, 100) << "what is not given is the daemon's";
}

TEST_F(Wsl4ctl, EachChangeSaysWhatItDid) {
  struct Case {
    std::vector<std::string> arguments;
    const char* out;
  };
  serve();
  for (const Case& one : {
           Case{{"remove", "chat", "b1"}, "chat/b1 removed; it drains (33,333 connections left) and is then forgotten\n"},
           Case{{"enable", "chat", "b1"}, "chat/b1 enabled; it takes new connections\n"},
           Case{{"disable", "chat", "b1"}, "chat/b1 disabled; no new connections, no health checks, 33,333 connections left\n"},
           Case{{"drain", "chat", "b1"}, "chat/b1 draining; no new connections, 33,333 connections left\n"},
           Case{{"drain", "chat", "b1", "--evict", "20"},
                "chat/b1 draining; no new connections, 33,333 connections left, 20 ended per second\n"},
           Case{{"weight", "chat", "b1", "7"}, "chat/b1 has weight 7\n"},
           Case{{"reset", "chat", "b1"}, "chat/b1 reset; nothing of it is changed at run time any more\n"},
       }) {
    auto arguments = one.arguments;
    arguments.insert(arguments.begin(), "backend");
    EXPECT_EQ(run_with(arguments), 0) << err_;
    EXPECT_EQ(out_, one.out);
  }
  thread_.stop();
  using service::AdminState;
  const auto edit = [this](std::size_t at) { return std::get<service::EditBackend>(std::get<2>(node_.changes.at(at))); };
  EXPECT_TRUE(std::holds_alternative<service::RemoveBackend>(std::get<2>(node_.changes.at(0))));
  EXPECT_EQ(edit(1).state, AdminState::kEnabled);
  EXPECT_EQ(edit(2).state, AdminState::kDisabled);
  EXPECT_EQ(edit(3).state, AdminState::kDraining);
  EXPECT_FALSE(edit(3).evict);
  EXPECT_EQ(edit(4).evict, 20U);
  EXPECT_EQ(edit(5).weight, 7);
  EXPECT_FALSE(edit(5).state);
  EXPECT_TRUE(std::holds_alternative<service::ResetBackend>(std::get<2>(node_.changes.at(6))));
}

TEST_F(Wsl4ctl, ChangesAsJsonAndTheirWarnings) {
  node_.change_answer = control::ChangeReport{service::Applied::kChanged, 3, {"service chat: no backend takes new connections"}};
  serve();
  EXPECT_EQ(run_with({"backend", "drain", "chat", "b1"}), 0);
  EXPECT_EQ(err_, "warning: service chat: no backend takes new connections\n");
  EXPECT_EQ(run_with({"backend", "drain", "chat", "b1", "--json"}), 0);
  EXPECT_EQ(err_, "");
  EXPECT_EQ(json::parse(out_).as_object().at("result"), "changed");
  EXPECT_EQ(run_with({"--json", "rebalance", "chat", "--rate", "50"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("surplus"), 5000);
}

TEST_F(Wsl4ctl, ARefusedChangeIsOneLine) {
  using Kind = service::ChangeError::Kind;
  serve();
  for (const auto& [kind, status, said] : {std::tuple(Kind::kNotFound, 1, "wsl4ctl: Not found: why; and how\n"),
                                           std::tuple(Kind::kConflict, 1, "wsl4ctl: Not as things stand: why; and how\n"),
                                           std::tuple(Kind::kBad, 2, "wsl4ctl: Wrong values: why; and how\n")}) {
    thread_.run([this, kind = kind] {
      node_.change_answer = tl::make_unexpected(control::to_refusal({kind, {"why", "and how"}}));
    });
    EXPECT_EQ(run_with({"backend", "reset", "chat", "b1"}), status);
    EXPECT_EQ(err_, said);
    EXPECT_EQ(out_, "");
  }
  EXPECT_EQ(run_with({"backend", "weight", "chat", "b1", "1001"}), 2);
  EXPECT_EQ(err_, "wsl4ctl: Wrong values: weight: 1001 is out of range (0-1000)\n");
  EXPECT_EQ(run_with({"backend", "add", "chat", "b1", "localhost:80"}), 2);
  EXPECT_TRUE(err_.starts_with("wsl4ctl: Wrong values: address: \"localhost:80\" is not an address and port")) << err_;
}

TEST_F(Wsl4ctl, NamesReachTheDaemonAsTheyAre) {
  serve();
  EXPECT_EQ(run_with({"backend", "reset", "a/b?c", "[2001:db8::1]:80"}), 0) << err_;
  thread_.stop();
  EXPECT_EQ(std::get<0>(node_.changes.at(0)), "a/b?c");
  EXPECT_EQ(std::get<1>(node_.changes.at(0)), "[2001:db8::1]:80");
}

TEST_F(Wsl4ctl, Rebalance) {
  serve();
  EXPECT_EQ(run_with({"rebalance", "chat", "--rate", "50"}), 0);
  EXPECT_EQ(out_, "chat: 5,000 connections to move, 50 per second: done in about 1 min 41 s\n");
  EXPECT_EQ(run_with({"rebalance", "chat", "--rate", "0"}), 0);
  EXPECT_EQ(out_, "chat: no connection is moved any more\n");
  thread_.run([this] { node_.rebalance_answer = control::RebalanceReport{0}; });
  EXPECT_EQ(run_with({"rebalance", "chat", "--rate", "50"}), 0);
  EXPECT_EQ(out_, "chat: even already, to 1 %; nothing to move\n");
  EXPECT_EQ(run_with({"rebalance", "chat", "--rate", "-1"}), 2);
  thread_.stop();
  EXPECT_EQ(node_.rebalances.size(), 3U);
}

TEST_F(Wsl4ctl, Pick) {
  serve();
  EXPECT_EQ(run_with({"pick", "chat"}), 1);
  EXPECT_EQ(err_, "wsl4ctl: No backend has room\n");
  thread_.run([this] { node_.pick_answer = control::PickedBackend{"b1", *netlink::Endpoint::parse("198.51.100.1:80"), ""}; });
  EXPECT_EQ(run_with({"pick", "chat"}), 0);
  EXPECT_EQ(out_, "b1  198.51.100.1:80\n");
  thread_.run([this] { node_.pick_answer->public_address = "wss://b1.example.com/ws"; });
  EXPECT_EQ(run_with({"pick", "chat"}), 0);
  EXPECT_EQ(out_, "b1  198.51.100.1:80  wss://b1.example.com/ws\n");
  EXPECT_EQ(run_with({"pick", "chat", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).as_object().at("public"), "wss://b1.example.com/ws");
}

}  // namespace
}  // namespace wsl4::ctl
