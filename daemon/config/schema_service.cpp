// The tables that stand as often as one likes: pools, services and what belongs to a service.
#include <chrono>

#include "daemon/config/field.h"
#include "daemon/config/schema_sections.h"

namespace wsl4::config {
namespace {

using binding::field;
using binding::range_field;
using namespace std::chrono_literals;

// Choices stand in the order of the enums that they fill (config.h).
constexpr Choice kProtocols[] = {{"tcp"}, {"udp"}};
constexpr Choice kSchedulers[] = {{"least-connections"}, {"round-robin"}, {"random"}, {"source-hash"}};
constexpr Choice kModes[] = {{"snat"}, {"dnat"}};
constexpr Choice kDownActions[] = {{"auto"}, {"reset"}, {"keep"}};
constexpr Choice kHealthTypes[] = {{"tcp"}, {"http"}, {"https"}, {"websocket"}, {"websockets"}, {"none"}};

constexpr Setting kPool[] = {
    {.key = "name",
     .type = Type::kName,
     .required = true,
     .example = R"("main")",
     .help = "What services call it.",
     .field = field<&Pool::name>()},
    {.key = "addresses",
     .type = Type::kAddresses,
     .list = true,
     .required = true,
     .example = R"(["198.51.100.16-198.51.100.31", "198.51.100.40", "198.51.100.48/29"])",
     .help = "Ranges, single addresses and prefixes (all addresses of a prefix), IPv4 and IPv6; at most 4,096 addresses.",
     .field = {[](const Target& target, const Value& value) {
                 const auto* range = std::get_if<AddressRange>(&value);
                 target.draft->pool_ranges.back().push_back(range == nullptr ? AddressRange{} : *range);
               },
               [](const Target& target) { return target.draft->pool_ranges.back().empty(); }, nullptr,
               [](const Source& source) {
                 std::vector<Value> values;
                 for (const IpAddress& address : source.pool->addresses) values.emplace_back(AddressRange{address, address});
                 return values;
               }}},
    {.key = "ports",
     .type = Type::kPorts,
     .default_text = R"("1-65535")",
     .min = 1,
     .max = 65535,
     .example = R"("1-65535")",
     .help =
         "The source ports that may be used, on every address of the pool. Each serves one connection to each backend, and all of "
         "them can be used: where half of those towards a backend are taken, the daemon deals them in blocks of 128. When all are, "
         "new connections are reset and counted as full. While the daemon is dead, new ones begin to fail at about 85 % use. See "
         "SNAT PORTS in wsl4d(8).",
     .field = range_field<&Pool::port_min, &Pool::port_max>()},
    {.key = "interface",
     .type = Type::kInterface,
     .default_words = "the interface whose connected prefix covers the address",
     .example = R"("eth1")",
     .help = "Network interface that carries the addresses.",
     .field = field<&Pool::interface>()},
};

constexpr Setting kClientLimits[] = {
    {.key = "connections",
     .type = Type::kInteger,
     .default_text = "0",
     .min = 0,
     .max = 1'000'000,
     .example = "100",
     .help =
         "Connections per client address (IPv6: /64); 0 = no limit. The kernel counts them: a new connection costs a look at each "
         "of its client's others, so hundreds are a sensible limit, thousands are not.",
     .field = field<&Service::client_limit_connections>()},
    {.key = "rate",
     .type = Type::kInteger,
     .default_text = "0",
     .min = 0,
     .max = 1'000'000,
     .example = "20",
     .help = "New connections per second and client address (IPv6: /64); 0 = no limit. So many may come at once.",
     .field = field<&Service::client_limit_rate>()},
};

constexpr Setting kHealth[] = {
    {.key = "type",
     .type = Type::kChoice,
     .default_text = R"("tcp")",
     .choices = kHealthTypes,
     .example = R"("websocket")",
     .help =
         "How backends are checked. websocket makes a whole opening handshake; websockets does so over TLS. UDP services are not "
         "checked. A setting that the type makes no use of is an error.",
     .field = field<&Health::type>()},
    {.key = "path",
     .type = Type::kUrlPath,
     .default_text = R"("/")",
     .example = R"("/ws")",
     .help = "What is asked for; for all types but tcp and none.",
     .field = field<&Health::path>()},
    {.key = "host",
     .type = Type::kHostName,
     .default_words = "the backend's address",
     .example = R"("chat.example.com")",
     .help = "Host header and TLS server name; for the same types as path.",
     .field = field<&Health::host>()},
    {.key = "expect",
     .type = Type::kStatus,
     .default_words = "101 for websocket and websockets, 200-399 for http and https",
     .min = 100,
     .max = 599,
     .example = R"("101")",
     .help = "The HTTP status of a healthy backend, or a range.",
     .field = range_field<&Health::expect_min, &Health::expect_max>()},
    {.key = "tls_verify",
     .type = Type::kBoolean,
     .default_text = "true",
     .example = "false",
     .help = "Whether the backend's certificate is verified; for https and websockets.",
     .field = field<&Health::tls_verify>()},
    {.key = "interval",
     .type = Type::kDuration,
     .default_text = R"("2s")",
     .min = 100,
     .max = to_milliseconds(1h),
     .example = R"("5s")",
     .help = "Time between two checks of one backend.",
     .field = field<&Health::interval>()},
    {.key = "timeout",
     .type = Type::kDuration,
     .default_text = R"("1s")",
     .min = 10,
     .max = to_milliseconds(10min),
     .example = R"("2s")",
     .help = "Time for one check.",
     .field = field<&Health::timeout>()},
    {.key = "rise",
     .type = Type::kInteger,
     .default_text = "2",
     .min = 1,
     .max = 100,
     .example = "3",
     .help = "Good checks in a row that bring a backend up.",
     .field = field<&Health::rise>()},
    {.key = "fall",
     .type = Type::kInteger,
     .default_text = "3",
     .min = 1,
     .max = 100,
     .example = "2",
     .help = "Bad checks in a row that take it down.",
     .field = field<&Health::fall>()},
};

constexpr Setting kBackend[] = {
    {.key = "name",
     .type = Type::kName,
     .default_words = "its address",
     .example = R"("erlang-1")",
     .help = "Unique within the service.",
     .field = field<&Backend::name>()},
    {.key = "address",
     .type = Type::kTraffic,
     .required = true,
     .example = R"("198.51.100.101:8888")",
     .help = "Where the server listens: no address of the balancer itself, on either node of a pair.",
     .field = field<&Backend::address>()},
    {.key = "weight",
     .type = Type::kInteger,
     .default_text = "100",
     .min = 0,
     .max = 1000,
     .example = "100",
     .help = "Its share of new flows, relative to the other backends; 0 = no new flows.",
     .field = field<&Backend::weight>()},
    {.key = "max_connections",
     .type = Type::kInteger,
     .default_text = "0",
     .min = 0,
     .max = 1'000'000'000,
     .example = "60000",
     .help = "Flows that it may carry; 0 = what the pool can carry. A burst may pass it by what arrives between two deals, at most "
             "100 ms.",
     .field = field<&Backend::max_connections>()},
    {.key = "public",
     .type = Type::kText,
     .default_words = "none",
     .example = R"("wss://erlang-1.example.com/ws")",
     .help = "What wsl4ctl pick hands out.",
     .field = field<&Backend::public_address>()},
};

// idle_timeout + 600 s becomes nf_conntrack_tcp_timeout_established, at most flows::kLongestEstablished.
constexpr Setting kService[] = {
    {.key = "name",
     .type = Type::kName,
     .required = true,
     .example = R"("chat")",
     .help = "Unique among the services.",
     .field = field<&Service::name>()},
    {.key = "protocol",
     .type = Type::kChoice,
     .default_text = R"("tcp")",
     .choices = kProtocols,
     .example = R"("tcp")",
     .help = "Transport protocol.",
     .field = field<&Service::protocol>()},
    {.key = "listen",
     .type = Type::kTraffic,
     .list = true,
     .required = true,
     .example = R"(["203.0.113.10:443", "[2001:db8::10]:443"])",
     .help = "The VIPs and ports that clients connect to. Backends, and in mode snat the pool, must serve the family of each.",
     .field = field<&Service::listen>()},
    {.key = "interface",
     .type = Type::kInterface,
     .default_words = "the interface whose connected prefix covers the VIP",
     .example = R"("eth0")",
     .help = "Network interface that carries the VIPs.",
     .field = field<&Service::interface>()},
    {.key = "scheduler",
     .type = Type::kChoice,
     .default_text = R"("least-connections")",
     .choices = kSchedulers,
     .example = R"("least-connections")",
     .help =
         "How new flows are spread. All schedulers are weighted. least-connections goes by the established flows that the kernel "
         "has, so a reload, a restart or a crash forgets nothing.",
     .field = field<&Service::scheduler>()},
    {.key = "mode",
     .type = Type::kChoice,
     .default_text = R"("snat")",
     .choices = kModes,
     .example = R"("snat")",
     .help = "snat: backends see addresses of the pool. dnat: backends see the client's address and route back through wsl4; no "
             "hairpin.",
     .field = field<&Service::mode>()},
    {.key = "pool",
     .type = Type::kName,
     .default_words = "the only pool, if there is one",
     .example = R"("main")",
     .help = "The pool that the service takes its source addresses from; services may share one.",
     .field = field<&Service::pool>()},
    {.key = "idle_timeout",
     .type = Type::kDuration,
     .default_text = R"("1h")",
     .min = to_milliseconds(1s),
     .max = to_milliseconds(18 * 24h),
     .zero = true,
     .example = R"("1h")",
     .help = "A TCP flow without a packet for so long is ended with a reset to both ends, between 1.0 and 1.1 times the value (+ "
             "60 s); "
             "0s = never.",
     .field = field<&Service::idle_timeout>()},
    {.key = "on_backend_down",
     .type = Type::kChoice,
     .default_text = R"("auto")",
     .choices = kDownActions,
     .example = R"("auto")",
     .help = "What happens to a failed backend's flows; for services that are checked. auto: reset if connecting fails, kept if "
             "only its answer is wrong.",
     .field = field<&Service::on_backend_down>()},
    {.key = "slow_start",
     .type = Type::kDuration,
     .default_text = R"("0s")",
     .min = to_milliseconds(1s),
     .max = to_milliseconds(24h),
     .zero = true,
     .example = R"("30s")",
     .help = "Time in which a new backend's share grows to its full one; 0s = none.",
     .field = field<&Service::slow_start>()},
    {.key = "discovery",
     .type = Type::kDiscovery,
     .default_words = "none",
     .example = R"("dns:_ws._tcp.chat.example.com")",
     .help = "Backends from SRV records, or with dns:HOST:PORT from A and AAAA records, beside those of the file; asked for again "
             "when their TTL ends (1 s to 1 h). If DNS fails, or has none, the last ones stay in use. Of several SRV priorities "
             "the lowest counts that has addresses. The name is complete: no search domain is tried.",
     .field = field<&Service::discovery>()},
};

constexpr Section kClientLimitsSection = {
    .name = "client_limits", .dotted = true, .help = "Limits per client.", .settings = kClientLimits};
constexpr Section kHealthSection = {.name = "health", .help = "Health checks of the service's backends.", .settings = kHealth};
constexpr Section kBackendSection = {.name = "backend",
                                     .repeated = true,
                                     .help = "One server of the service above it.",
                                     .settings = kBackend,
                                     .enter = [](Target& target) { target.backend = &target.service->backends.emplace_back(); }};
constexpr const Section* kServiceSections[] = {&kClientLimitsSection, &kHealthSection, &kBackendSection};

}  // namespace

constinit const Section kPoolSection = {.name = "pool",
                                        .repeated = true,
                                        .help = "Source addresses towards backends. An address is in one pool only, and is no VIP.",
                                        .settings = kPool,
                                        .enter = [](Target& target) {
                                          target.pool = &target.draft->config.pools.emplace_back();
                                          target.draft->pool_ranges.emplace_back();
                                        }};
constinit const Section kServiceSection = {
    .name = "service",
    .repeated = true,
    .help = "One virtual service.",
    .settings = kService,
    .sections = kServiceSections,
    .enter = [](Target& target) { target.service = &target.draft->config.services.emplace_back(); }};

}  // namespace wsl4::config
