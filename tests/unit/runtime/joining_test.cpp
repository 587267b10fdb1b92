#include "daemon/runtime/joining.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

#include "daemon/service/layers.h"
#include "tests/support/http_bed.h"
#include "tests/support/overlay_bed.h"

namespace wsl4::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

service::Registration at(const std::string& address, milliseconds ttl = seconds(30)) {
  service::Registration registration;
  registration.address = *netlink::Endpoint::parse(address);
  registration.ttl = ttl;
  return registration;
}

/// Service chat with b1, b2 and v6 in the file. What is applied is only noted.
class JoiningRun : public testing::Test {
 protected:
  void open() { start(test::changeable_config()); }
  void start(const config::Config& file) {
    joining_ = std::make_unique<Joining>(
        io_, changing_, events_, files_,
        Joining::Hooks{
            [this](config::Config base) { return apply(std::move(base)); },
            [this](const std::string& service) -> const config::Service& { return *service::find_service(effective_, service); },
            [this] { return refusal_; }, [this](const std::string& text) { stored_ = text; }});
    auto base = joining_->open(file, folder_.file(""));
    ASSERT_TRUE(base) << base.error();
    effective_ = *base;
  }
  boost::asio::awaitable<control::Outcome<bool>> apply(config::Config base) {
    ++applied_;
    if (fails_) co_return tl::make_unexpected(control::Refusal{500, "the kernel refused", {}});
    effective_ = std::move(base);
    co_return true;
  }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(work), [&result](const std::exception_ptr&, T value) { result = std::move(value); });
    io_.restart();
    io_.run();
    return std::move(*result);
  }
  void tend() {
    boost::asio::co_spawn(io_, joining_->tend(), [](const std::exception_ptr& failed) { EXPECT_FALSE(failed); });
    io_.restart();
    io_.run();
  }
  unsigned join(const std::string& backend, service::Registration registration, const std::string& service = "chat") {
    const auto joined = run(joining_->join(service, backend, std::move(registration)));
    if (!joined) return static_cast<unsigned>(joined.error().http_status);
    return joined->is_new ? 201 : 200;
  }
  std::vector<std::string> backends() {
    std::vector<std::string> names;
    for (const auto& backend : effective_.services[0].backends) names.push_back(backend.name);
    return names;
  }
  std::vector<std::string> events() {
    std::vector<std::string> names;
    for (const auto& event : run(events_.after(0, milliseconds(0)))) names.push_back(event.name + " " + event.backend);
    return names;
  }

  test::TemporaryFolder folder_;
  boost::asio::io_context io_;
  util::AsyncLock changing_{io_};
  EventLog events_{io_};
  util::FileWriter files_{io_, [](const std::string& problem) { ADD_FAILURE() << problem; }};
  config::Config effective_;
  std::unique_ptr<Joining> joining_;
  std::optional<control::Refusal> refusal_;
  std::string stored_;
  int applied_ = 0;
  bool fails_ = false;
};

TEST_F(JoiningRun, WhoJoinsIsABackendAndARenewalThatChangesNothingAppliesNothing) {
  open();
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6", "n1"));
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 200U);
  EXPECT_EQ(applied_, 1);
  auto heavier = at("198.18.2.21:80");
  heavier.weight = 7;
  EXPECT_EQ(join("n1", heavier), 200U);
  EXPECT_EQ(applied_, 2);
  EXPECT_EQ(effective_.services[0].backends[3].weight, 7);
  EXPECT_THAT(events(), ElementsAre("backend-registered n1", "registration-changed n1"));
  EXPECT_EQ(joining_->view().lapses.size(), 1U);
}

TEST_F(JoiningRun, WhatCannotBeIsRefused) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  EXPECT_EQ(join("n2", at("198.18.2.22:80"), "nobody"), 404U);
  EXPECT_EQ(join("b1", at("198.18.2.22:80")), 409U) << "a name of the file's";
  EXPECT_EQ(join("n2", at("198.18.2.11:80")), 409U) << "an address of the file's";
  EXPECT_EQ(join("n2", at("198.18.2.21:80")), 409U) << "n1's address";
  EXPECT_EQ(join("n2", at("198.18.2.101:80")), 409U) << "a pool address";
  EXPECT_EQ(join("n2", at("[2001:db8:2::21]:80"), "dns"), 422U) << "a family that the service does not listen on";
  effective_.services[0].backends.push_back({"n2", *netlink::Endpoint::parse("198.18.2.29:80"), 100, 0, {}});
  EXPECT_EQ(join("n2", at("198.18.2.22:80")), 409U) << "added by an operator";
  EXPECT_EQ(join("n3", at("198.18.2.29:80")), 409U) << "its address";
  EXPECT_EQ(applied_, 1);
}

TEST_F(JoiningRun, WhatTheKernelRefusesIsForgotten) {
  open();
  fails_ = true;
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 500U);
  fails_ = false;
  open();
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6"));
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 201U);
}

TEST_F(JoiningRun, WhoLeavesIsABackendNoMore) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  EXPECT_TRUE(run(joining_->leave("chat", "n1")));
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6"));
  EXPECT_EQ(run(joining_->leave("chat", "n1")).error().http_status, 404);
  EXPECT_EQ(run(joining_->leave("chat", "b1")).error().http_status, 404) << "it never joined";
}

TEST_F(JoiningRun, ALeaseThatIsNotRenewedLapsesOnceTheKernelHasTakenIt) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80", milliseconds(0))), 201U);
  ASSERT_EQ(join("n2", at("198.18.2.22:80")), 201U);
  fails_ = true;
  tend();
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6", "n1", "n2"));
  fails_ = false;
  tend();
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6", "n2"));
  EXPECT_THAT(events(), ElementsAre("backend-registered n1", "backend-registered n2", "lease-lapsed n1"));
}

TEST_F(JoiningRun, ARestartChangesNothing) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  const auto before = effective_;
  const auto applied = applied_;
  open();
  EXPECT_EQ(effective_, before);
  tend();
  EXPECT_EQ(applied_, applied);
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 200U);
}

TEST_F(JoiningRun, AStandbyTakesTheActivesRegistrationsAndNoneOfItsOwn) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  const auto of_the_active = stored_;
  ASSERT_TRUE(run(joining_->leave("chat", "n1")));
  ASSERT_THAT(backends(), ElementsAre("b1", "b2", "v6"));

  refusal_ = control::Refusal{409, "this node is standby", {}};
  EXPECT_EQ(join("n2", at("198.18.2.22:80")), 409U);
  EXPECT_EQ(run(joining_->leave("chat", "n1")).error().http_status, 409);
  ASSERT_TRUE(run(joining_->follow(of_the_active)));
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6", "n1"));
  EXPECT_EQ(stored_, of_the_active);
  const auto applied = applied_;
  ASSERT_TRUE(run(joining_->follow(of_the_active)));
  EXPECT_EQ(applied_, applied) << "a renewal changes nothing here either";
  EXPECT_THAT(run(joining_->follow("{")).error(), HasSubstr("the peer's registrations"));
  EXPECT_THAT(backends(), ElementsAre("b1", "b2", "v6", "n1"));
}

TEST_F(JoiningRun, LeasesBeginAnewWhenTheRoleIsTaken) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  const auto lapses = [&] { return joining_->view().lapses.begin()->second; };
  refusal_ = control::Refusal{409, "this node is standby", {}};
  const auto told = lapses();
  tend();
  EXPECT_EQ(lapses(), told);
  refusal_.reset();
  tend();
  const auto anew = lapses();
  EXPECT_GT(anew, told);
  tend();
  EXPECT_EQ(lapses(), anew) << "once";
}

TEST_F(JoiningRun, ABrokenStateFileIsAnError) {
  std::ofstream(folder_.file("joined.json")) << "{";
  joining_ = std::make_unique<Joining>(io_, changing_, events_, files_, Joining::Hooks{{}, {}, {}, {}});
  const auto opened = joining_->open(test::changeable_config(), folder_.file(""));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr("joined.json is broken"));
}

TEST_F(JoiningRun, AReloadThatTakesTheNameKeepsTheFilesOwnAndTellsSo) {
  open();
  ASSERT_EQ(join("n1", at("198.18.2.21:80")), 201U);
  auto file = test::changeable_config();
  file.services[0].backends.push_back({"n1", *netlink::Endpoint::parse("198.18.2.30:80"), 100, 0, {}});
  const auto joined = joining_->lay(file);
  auto listener = joining_->prepare(file);
  ASSERT_TRUE(listener);
  effective_ = joined.config;
  joining_->accept(file, joined, std::move(*listener));
  EXPECT_EQ(effective_.services[0].backends, file.services[0].backends);
  EXPECT_THAT(joining_->warnings(), ElementsAre(HasSubstr("chat/n1")));
  EXPECT_EQ(join("n1", at("198.18.2.21:80")), 409U);
}

}  // namespace
}  // namespace wsl4::runtime
