#include "daemon/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/config/broken.h"

namespace wsl4::config {
namespace {

using namespace std::chrono_literals;

std::string messages(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) out += (out.empty() ? "" : "\n") + problem.message();
  return out;
}

Config parsed(std::string_view text) {
  auto config = parse(text, "f");
  EXPECT_TRUE(config) << messages(config.error());
  return config ? *config : Config{};
}

class Broken : public testing::TestWithParam<BrokenFile> {};

TEST_P(Broken, YieldsEveryMessage) {
  const auto config = parse(GetParam().text, "f");
  ASSERT_FALSE(config);
  EXPECT_EQ(messages(config.error()), GetParam().messages) << GetParam().name;
}

std::string test_name(const testing::TestParamInfo<BrokenFile>& info) {
  std::string name;
  for (const char* c = info.param.name; *c != '\0'; ++c) name += std::isalnum(static_cast<unsigned char>(*c)) != 0 ? *c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(NodeSettings, Broken, testing::ValuesIn(broken_node_settings()), test_name);
INSTANTIATE_TEST_SUITE_P(ServiceSettings, Broken, testing::ValuesIn(broken_service_settings()), test_name);
INSTANTIATE_TEST_SUITE_P(Structures, Broken, testing::ValuesIn(broken_structures()), test_name);
INSTANTIATE_TEST_SUITE_P(References, Broken, testing::ValuesIn(broken_references()), test_name);
INSTANTIATE_TEST_SUITE_P(Addresses, Broken, testing::ValuesIn(broken_addresses()), test_name);

TEST(Load, NothingIsValidAndHasNoService) {
  Config expected;
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  expected.node.name = host.data();
  EXPECT_EQ(parsed(""), expected);
  EXPECT_EQ(parsed("# only a comment\n[node]\n[control]\n[addresses]\n"), expected);
}

TEST(Load, EverySettingOfThisVersionArrives) {
  const auto config = parsed(R"(
[node]
name = "lb-a"
state_dir = "/tmp/state"
log_level = "debug"
ct_mark_mask = 0xff000000
[control]
socket = "/tmp/s.sock"
listen = "[::]:9440"
[addresses]
manage = false
[[pool]]
name = "main"
addresses = ["198.18.1.9", "198.18.1.2-198.18.1.4", "2001:db8::8/126"]
ports = "1024-60000"
interface = "eth1"
[[service]]
name = "chat"
protocol = "tcp"
listen = ["203.0.113.10:443", "[2001:db8:1::10]:443"]
interface = "eth0"
scheduler = "source-hash"
idle_timeout = "90m"
[[service.backend]]
name = "erlang-1"
address = "198.18.2.1:8888"
weight = 0
[[service.backend]]
address = "[2001:db8:2::1]:8888"
[[service]]
name = "dns"
protocol = "udp"
listen = ["203.0.113.10:443"]
scheduler = "random"
mode = "dnat"
[[service.backend]]
address = "198.18.2.1:8888"
weight = 1000
)");
  EXPECT_EQ(config.node, (Node{"lb-a", "/tmp/state", LogLevel::kDebug, 0xff000000}));
  EXPECT_EQ(config.control.socket, "/tmp/s.sock");
  EXPECT_EQ(config.control.listen, Endpoint::parse("[::]:9440"));
  EXPECT_FALSE(config.addresses.manage);
  ASSERT_EQ(config.pools.size(), 1U);
  const Pool& pool = config.pools[0];
  std::vector<std::string> addresses;
  for (const auto& address : pool.addresses) addresses.push_back(address.to_string());
  EXPECT_THAT(addresses, testing::ElementsAre("198.18.1.9", "198.18.1.2", "198.18.1.3", "198.18.1.4", "2001:db8::8", "2001:db8::9",
                                              "2001:db8::a", "2001:db8::b"));
  EXPECT_EQ(pool.port_min, 1024);
  EXPECT_EQ(pool.port_max, 60000);
  EXPECT_EQ(pool.interface, "eth1");
  ASSERT_EQ(config.services.size(), 2U);
  const Service& chat = config.services[0];
  EXPECT_EQ(chat.scheduler, Scheduler::kSourceHash);
  EXPECT_EQ(chat.mode, Mode::kSnat);
  EXPECT_EQ(chat.pool, "main") << "the only pool";
  EXPECT_EQ(chat.interface, "eth0");
  EXPECT_EQ(chat.idle_timeout, 90min);
  ASSERT_EQ(chat.listen.size(), 2U);
  EXPECT_EQ(chat.listen[1], Endpoint::parse("[2001:db8:1::10]:443"));
  ASSERT_EQ(chat.backends.size(), 2U);
  EXPECT_EQ(chat.backends[0].weight, 0);
  EXPECT_EQ(chat.backends[1].name, "[2001:db8:2::1]:8888") << "its address";
  EXPECT_EQ(chat.backends[1].weight, 100);
  const Service& dns = config.services[1];
  EXPECT_EQ(dns.protocol, Protocol::kUdp);
  EXPECT_EQ(dns.mode, Mode::kDnat);
  EXPECT_EQ(dns.scheduler, Scheduler::kRandom);
  EXPECT_EQ(dns.pool, "");
}

TEST(Load, DefaultsMayBeWrittenDownEvenWhereNothingElseIsAvailable) {
  const std::string plain = "[[service]]\nname = \"s\"\nmode = \"dnat\"\nlisten = [\"198.18.0.1:80\"]\n";
  const std::string backend = "[[service.backend]]\naddress = \"198.18.2.1:80\"\n";
  EXPECT_EQ(parsed("[addresses]\nextra = []\n" + plain + R"(
on_backend_down = "auto"
slow_start = "0s"
client_limits.connections = 0
client_limits.rate = 0
[service.health]
type = "tcp"
path = "/"
tls_verify = true
interval = "2s"
timeout = "1000ms"
rise = 2
fall = 3
)" + backend + "max_connections = 0\n"),
            parsed(plain + backend));
}

TEST(Load, TablesMayBeWrittenInline) {
  const auto config =
      parsed(R"(service = [{name = "s", mode = "dnat", listen = ["198.18.0.1:80"], backend = [{address = "198.18.2.1:80"}]}])");
  ASSERT_EQ(config.services.size(), 1U);
  EXPECT_EQ(config.services[0].backends.size(), 1U);
}

TEST(Load, AServiceWithoutBackendsIsOneThatRefusesEveryClient) {
  EXPECT_TRUE(parsed("[[service]]\nname = \"s\"\nmode = \"dnat\"\nlisten = [\"198.18.0.1:80\", \"[2001:db8::1]:80\"]\n")
                  .services[0]
                  .backends.empty());
}

TEST(Load, TcpAndUdpMayShareAPort) {
  const auto config = parsed(R"(
[[service]]
name = "a"
mode = "dnat"
listen = ["198.18.0.1:53"]
[[service]]
name = "b"
mode = "dnat"
protocol = "udp"
listen = ["198.18.0.1:53"]
[[service.backend]]
address = "198.18.0.2:53"
)");
  EXPECT_EQ(config.services.size(), 2U);
}

TEST(Load, WithoutManagedAddressesABackendMayHaveTheAddressOfAVip) {
  EXPECT_TRUE(parse(R"([addresses]
manage = false
extra = ["198.18.0.9/24"]
[[service]]
name = "a"
mode = "dnat"
listen = ["198.18.0.1:80"]
[[service.backend]]
address = "198.18.0.1:8080"
[[service.backend]]
address = "198.18.0.9:8080"
)",
                    "f"));
}

TEST(Load, LimitsAreInclusive) {
  const auto config = parsed("[node]\nct_mark_mask = 0x3\n[[pool]]\nname = \"" + std::string(32, 'p') + R"("
addresses = ["198.18.0.0/20"]
ports = "65535"
[[service]]
name = "s"
listen = ["198.19.0.1:65535"]
idle_timeout = "18d"
[[service.backend]]
address = "198.19.2.1:1"
weight = 1000
)");
  EXPECT_EQ(config.pools[0].addresses.size(), 4096U);
  EXPECT_EQ(config.pools[0].port_min, 65535);
  EXPECT_EQ(config.services[0].idle_timeout, 18 * 24h);
}

TEST(Load, ZeroIdleTimeoutMeansNever) {
  EXPECT_EQ(parsed("[[service]]\nname = \"s\"\nmode = \"dnat\"\nlisten = [\"198.18.0.1:80\"]\nidle_timeout = \"0s\"\n")
                .services[0]
                .idle_timeout,
            0ms);
}

TEST(Load, ReadsAFileAndNamesItInMessages) {
  const auto path = std::filesystem::path(testing::TempDir()) / ("wsl4_config_" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << "[node]\nname = \"lb-a\"\n";
  const auto good = load(path);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->node.name, "lb-a");
  std::ofstream(path) << "[node]\nname = 5\n";
  const auto bad = load(path);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error()[0].message(), testing::StartsWith(path.string() + ":2:8: node.name: "));
  std::filesystem::remove(path);
}

TEST(Load, WhatCannotBeReadIsAProblemOfTheWholeFile) {
  const auto missing = load("/nonexistent/wsl4.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(messages(missing.error()), "/nonexistent/wsl4.toml: cannot be read: No such file or directory");
  const auto folder = load("/");
  ASSERT_FALSE(folder);
  EXPECT_EQ(messages(folder.error()), "/: cannot be read: Is a directory");
  const auto endless = load("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_EQ(messages(endless.error()), "/dev/zero: is too large (at most 64 MiB)");
}

constexpr const char* kTwoFamilies = R"(
[control]
register = "198.18.0.9:9443"
token_file = "/t"
tls_certificate = "/c"
tls_key = "/k"
[[pool]]
name = "p"
addresses = ["198.18.1.0/30", "2001:db8:1::1"]
[[service]]
name = "s"
listen = ["198.18.0.1:80", "[2001:db8::1]:80"]
discovery = "dns:_ws._tcp.example.com"
[[service.backend]]
address = "198.18.2.11:80"
)";

TEST(Load, DnsMayHaveTheBackendsOfAFamilyAndAllOfThem) {
  EXPECT_TRUE(parse(kTwoFamilies, "f"));
  std::string without(kTwoFamilies);
  without.erase(without.find("[[service.backend]]"));
  EXPECT_TRUE(parse(without, "f"));
}

TEST(Load, WhatIsWrongWithFilesStandsWhereTheyAreNamed) {
  const auto inspect = [](const Config& config) {
    return Findings{{{"control", "token_file"}, config.control.token_file + ":3: bad"}, {{"control", "tls_key"}, "cannot be read"}};
  };
  const auto config = parse(kTwoFamilies, "f", inspect);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 2U);
  EXPECT_EQ(config.error()[0].message(), "f:4:14: control.token_file: /t:3: bad");
  EXPECT_EQ(config.error()[1].message(), "f:6:11: control.tls_key: cannot be read");
}

}  // namespace
}  // namespace wsl4::config
