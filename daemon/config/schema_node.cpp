// The tables that stand once in the file: the node itself and what surrounds it.
#include <chrono>

#include "daemon/config/field.h"
#include "daemon/config/schema_sections.h"

namespace wsl4::config {
namespace {

using binding::field;
using namespace std::chrono_literals;

// Choices stand in the order of the enums that they fill (config.h).
constexpr Choice kLogLevels[] = {{"error"}, {"warning"}, {"info"}, {"debug"}};
constexpr Choice kElections[] = {{"vrrp"}, {"external"}};

constexpr Setting kNode[] = {
    {.key = "name",
     .type = Type::kHostName,
     .default_words = "the host name",
     .effect = Effect::kRestart,
     .example = R"("lb-a")",
     .help = "The node's name, as status and the peer show it; another one than the peer's.",
     .field = field<&Node::name>()},
    {.key = "state_dir",
     .type = Type::kPath,
     .default_text = R"("/var/lib/wsl4")",
     .effect = Effect::kRestart,
     .example = R"("/var/lib/wsl4")",
     .help = "Folder for what was changed at run time and must outlive a restart.",
     .field = field<&Node::state_dir>()},
    {.key = "log_level",
     .type = Type::kChoice,
     .default_text = R"("info")",
     .choices = kLogLevels,
     .example = R"("info")",
     .help = "The least important messages that are logged.",
     .field = field<&Node::log_level>()},
    {.key = "ct_mark_mask",
     .type = Type::kMask,
     .default_text = "0x00ffff00",
     .min = 0,
     .max = 0xffffffff,
     .effect = Effect::kRestart,
     .example = "0x00ffff00",
     .help = "The bits of the conntrack mark that wsl4 uses; all others are left alone. The top bit of the mask marks closing "
             "flows, the "
             "others number the backends: N of them are room for 2^N-1 backends.",
     .field = field<&Node::ct_mark_mask>()},
};

constexpr Setting kControl[] = {
    {.key = "socket",
     .type = Type::kSocketPath,
     .default_text = R"("/run/wsl4/wsl4d.sock")",
     .effect = Effect::kRestart,
     .example = R"("/run/wsl4/wsl4d.sock")",
     .help = "The control socket, which wsl4ctl talks to; another one has to be named to it with --socket, also in the unit.",
     .field = field<&Control::socket>()},
    {.key = "listen",
     .type = Type::kEndpoint,
     .default_words = "none",
     .effect = Effect::kRestart,
     .example = R"("127.0.0.1:9440")",
     .help = "Address for read-only HTTP: /metrics, /healthz, the status page.",
     .field = field<&Control::listen>()},
    {.key = "register",
     .type = Type::kEndpoint,
     .default_words = "none",
     .example = R"("198.51.100.1:9443")",
     .help = "Address of the TLS listener where nodes register themselves as backends, in a pair a VIP; see JOINING below. Needs "
             "token_file, tls_certificate and tls_key.",
     .field = field<&Control::register_listen>()},
    {.key = "token_file",
     .type = Type::kPath,
     .default_words = "none",
     .example = R"("/etc/wsl4/tokens")",
     .help = "For register: one token a line, with the services that it may join. At most of mode 0640. Each reload reads it anew.",
     .field = field<&Control::token_file>()},
    {.key = "tls_certificate",
     .type = Type::kPath,
     .default_words = "none",
     .example = R"("/etc/wsl4/tls.crt")",
     .help = "For register: the certificate chain, PEM. Each reload reads it anew.",
     .field = field<&Control::tls_certificate>()},
    {.key = "tls_key",
     .type = Type::kPath,
     .default_words = "none",
     .example = R"("/etc/wsl4/tls.key")",
     .help = "For register: the certificate's key, PEM, without a passphrase. Each reload reads it anew.",
     .field = field<&Control::tls_key>()},
};

constexpr Setting kHooks[] = {
    {.key = "active",
     .type = Type::kPath,
     .default_words = "none",
     .example = R"("/etc/wsl4/on-active")",
     .help = "Program run when this node has become active, as user wsl4 without capabilities and in the unit's sandbox (no home "
             "folders, a read-only file system); never blocks the change of role.",
     .field = field<&Ha::hook_active>()},
    {.key = "standby",
     .type = Type::kPath,
     .default_words = "none",
     .example = R"("/etc/wsl4/on-standby")",
     .help = "The same when it has become standby (clouds move addresses by API calls, not by ARP).",
     .field = field<&Ha::hook_standby>()},
};

// No default for `interface`: required unless election is external (validate.cpp).
constexpr Setting kHa[] = {
    {.key = "listen",
     .type = Type::kEndpoint,
     .required = true,
     .effect = Effect::kRestart,
     .example = R"("198.51.100.1:4440")",
     .help = "This node's address for the sync session.",
     .field = field<&Ha::listen>()},
    {.key = "peer",
     .type = Type::kEndpoint,
     .required = true,
     .effect = Effect::kRestart,
     .example = R"("198.51.100.2:4440")",
     .help = "The other node's address; used for the sync session only.",
     .field = field<&Ha::peer>()},
    {.key = "key_file",
     .type = Type::kPath,
     .default_text = R"("/etc/wsl4/peer.key")",
     .example = R"("/etc/wsl4/peer.key")",
     .help = "The pair's pre-shared keys, one a line, at most 8: the first is sent, all are accepted. Made by wsl4ctl keygen.",
     .field = field<&Ha::key_file>()},
    {.key = "election",
     .type = Type::kChoice,
     .default_text = R"("vrrp")",
     .choices = kElections,
     .effect = Effect::kRestart,
     .example = R"("vrrp")",
     .help = "Who decides which node is active: VRRPv3 (RFC 9568), or somebody else by wsl4ctl promote and demote (an example with "
             "keepalived: /usr/share/doc/wsl4/examples/keepalived-notify).",
     .field = field<&Ha::election>()},
    {.key = "interface",
     .type = Type::kInterface,
     .default_words = "none; needed by election = \"vrrp\"",
     .effect = Effect::kRestart,
     .example = R"("eth0")",
     .help = "Network interface where the adverts of election vrrp travel. Status of a standby warns if those of the active do not "
             "come in by it.",
     .field = field<&Ha::interface>()},
    {.key = "virtual_router_id",
     .type = Type::kInteger,
     .default_text = "51",
     .min = 1,
     .max = 255,
     .effect = Effect::kRestart,
     .example = "51",
     .help = "The VRRP group's number, equal on both nodes.",
     .field = field<&Ha::virtual_router_id>()},
    {.key = "priority",
     .type = Type::kInteger,
     .default_text = "100",
     .min = 1,
     .max = 254,
     .example = "150",
     .help = "The higher one wins.",
     .field = field<&Ha::priority>()},
    {.key = "advert_interval",
     .type = Type::kDuration,
     .default_text = R"("100ms")",
     .min = 10,
     .max = to_milliseconds(40s),
     .step = 10,
     .effect = Effect::kRestart,
     .example = R"("100ms")",
     .help = "Time between two adverts.",
     .field = field<&Ha::advert_interval>()},
    {.key = "unicast_peer",
     .type = Type::kAddress,
     .default_words = "none: multicast to 224.0.0.18 or ff02::12",
     .effect = Effect::kRestart,
     .example = R"("203.0.113.3")",
     .help = "Adverts go to, and are taken from, only this address, which is in a network of `interface`.",
     .field = field<&Ha::unicast_peer>()},
    {.key = "preempt",
     .type = Type::kBoolean,
     .default_text = "false",
     .effect = Effect::kRestart,
     .example = "false",
     .help = "Under election vrrp a node of higher priority takes the active role back, once synced. After wsl4ctl failover it "
             "rests until the next failure.",
     .field = field<&Ha::preempt>()},
    {.key = "virtual_mac",
     .type = Type::kBoolean,
     .default_text = "false",
     .effect = Effect::kRestart,
     .example = "false",
     .help = "VIPs and pool addresses live on macvlan interfaces (wsl4-ID-INDEX) with the address 00:00:5e:00:01:xx, xx being "
             "virtual_router_id, on whichever node is active: neighbours have nothing to learn when the role moves.",
     .field = field<&Ha::virtual_mac>()},
    {.key = "track",
     .type = Type::kInterface,
     .list = true,
     .default_words = "the interfaces that carry VIPs and pool addresses",
     .effect = Effect::kRestart,
     .example = R"(["eth0", "eth1"])",
     .help = "Interfaces whose loss of carrier gives the role up, under election vrrp. That of `listen` is left out, unless VIPs "
             "or pool addresses live on it too: on a direct cable a peer that dies takes it down.",
     .field = field<&Ha::track>()},
};

constexpr Setting kAddresses[] = {
    {.key = "manage",
     .type = Type::kBoolean,
     .default_text = "true",
     .example = "true",
     .help =
         "Put VIPs and pool addresses on interfaces when active, take them off when standby. If false, whoever moves them follows "
         "the role, also when it moves by wsl4ctl failover or a stop; status warns of those that are on a node that is not "
         "active.",
     .field = field<&Addresses::manage>()},
    {.key = "extra",
     .type = Type::kPrefix,
     .list = true,
     .default_text = "[]",
     .example = R"(["198.51.100.254/24"])",
     .help = "Further addresses that move with the role, with prefix length (a gateway for mode dnat). One that a reload takes out "
             "goes at once, since no connection names it: first lead the backends' routes elsewhere.",
     .field = field<&Addresses::extra>()},
};

constexpr Section kHooksSection = {
    .name = "hooks",
    .dotted = true,
    .help =
        "Programs told of a change of role; hooks.active also when another active has given the role up to this one. They run "
        "without capabilities and are not waited for, one at a time; one that runs still when the role is another one again gets "
        "SIGTERM, one that takes 30 s is killed, and a daemon that stops gives the last one 5 s. Their environment: WSL4_ROLE "
        "(active, standby, "
        "fault), WSL4_NODE, WSL4_VIPS and "
        "WSL4_ADDRESSES (VIPs, pool addresses and addresses.extra), with spaces between them.",
    .settings = kHooks};
constexpr const Section* kHaSections[] = {&kHooksSection};

}  // namespace

constinit const Section kNodeSection = {.name = "node", .help = "This node.", .settings = kNode};
constinit const Section kControlSection = {.name = "control", .help = "How it is talked to.", .settings = kControl};
constinit const Section kHaSection = {.name = "ha",
                                      .help = "The pair of nodes; left out for a single node.",
                                      .settings = kHa,
                                      .sections = kHaSections,
                                      .enter = [](Target& target) { target.draft->config.ha.emplace(); }};
constinit const Section kAddressesSection = {.name = "addresses", .help = "Addresses on interfaces.", .settings = kAddresses};

}  // namespace wsl4::config
