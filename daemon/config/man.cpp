#include "daemon/config/man.h"

#include <fmt/format.h>

#include "daemon/config/schema.h"

namespace wsl4::config {
namespace {

constexpr std::string_view kIntroduction = R"(.SH NAME
wsl4.toml \- configuration of the layer\-4 balancer wsl4d
.SH DESCRIPTION
.BR wsl4d (8)
reads
.I /etc/wsl4/wsl4.toml
when it starts and at each reload
.RB ( "systemctl reload wsl4d" ,
.B wsl4ctl reload
or SIGHUP).
The file is written in TOML.
Unknown settings, wrong types, values out of range and settings that contradict each other are errors; all of them are told in one run, each with its line and column, and a file with errors changes nothing.
.B wsl4ctl check
tells them without touching the daemon.
.PP
Durations are strings of a whole number and a unit: ms, s, m, h or d.
Addresses are IPv4 or IPv6; with a port, an IPv6 address stands in brackets.
.PP
Changes marked "takes a restart" are taken over by the next start of the daemon, all others by a reload.
Established flows live on in both.
)";

constexpr std::string_view kJoining = R"(.SH JOINING
Backends can come from three places: this file, nodes that register, and DNS (the setting
.BR discovery ).
A backend is known by its address; if several name it, the file counts, then the node, then DNS.
Backends that leave drain: their connections live on.
All of them are kept over reloads and restarts of the daemon.
.PP
A node joins a service, and renews that, by a request to the listener
.BR register :
.PP
.EX
PUT /v1/services/\fISERVICE\fR/backends/\fINAME\fR
Authorization: Bearer \fITOKEN\fR

{"address": "198.51.100.104:8888", "ttl": "30s"}
.EE
.PP
.B address
and
.B ttl
(5s\-1h) are required;
.BR weight ,
.B max_connections
and
.B public
mean what they mean in a
.BR [[service.backend]] .
The answer is 201, or 200 for a renewal, with the time when it
.BR expires .
A backend that has not renewed within
.B ttl
drains; after a start of the daemon nodes have 10 seconds at least to do so.
DELETE of the same path ends it at once.
Each connection is closed after its answer, and one without a request after 5 seconds.
.PP
In a pair the active node takes registrations, and the other one refuses them with 409.
So give
.B register
a VIP, or 0.0.0.0, on both nodes, and let nodes use the VIP: it is where the active is.
A certificate for the VIP does for both.
.PP
Errors are problem documents (RFC 9457): 401 without a token of the file, 403 for a service that the token does not cover, 404 if there is no such service, 409 if name or address are taken, 422 for wrong values.
.PP
The file of tokens has one token a line, followed by the services that it may join, separated by blanks or commas;
.B *
stands for all, and # begins a comment.
A name of no service is a warning of
.BR "wsl4ctl check" ,
.BR reload ,
.B status
and the log.
A token has 16 characters or more: letters, digits and \- . _ ~ + / =, such as
.B openssl rand \-base64 24
makes.
.PP
.EX
# /etc/wsl4/tokens, mode 0640, group wsl4
5kQ0q3PzDqkMq1yVtWnC4w  chat, video
Zz7V9o2m3bXJY8d1L0aRfQ  *
.EE
.PP
On the node a unit can join with its server, renew, and leave when it stops.
Its files are
.I /etc/join\-chat.json
with the body above, and
.I /etc/join\-chat
(mode 0600) for
.BR curl (1):
.PP
.EX
url = "https://198.51.100.1:9443/v1/services/chat/backends/erlang\-4"
header = "Authorization: Bearer 5kQ0q3PzDqkMq1yVtWnC4w"
cacert = "/etc/wsl4\-ca.crt"
max\-time = 5
silent
show\-error
.EE
.PP
.EX
# /etc/systemd/system/join\-chat.service
[Unit]
BindsTo=erlang.service
After=erlang.service network\-online.target
[Service]
ExecStart=/bin/sh \-c \(aqwhile :; do curl \-K /etc/join\-chat \-\-json @/etc/join\-chat.json \-X PUT; sleep 10; done\(aq
ExecStopPost=/usr/bin/curl \-K /etc/join\-chat \-X DELETE
Restart=always
[Install]
WantedBy=erlang.service
.EE
)";

constexpr std::string_view kEnd = R"(.SH FILES
.TP
.I /etc/wsl4/wsl4.toml
The configuration. As installed, all of it is a comment, and
.B wsl4d.service
does not start before a service is defined.
.SH SEE ALSO
.BR wsl4ctl (1),
.BR wsl4d (8)
)";

/// Text for troff: no character of it means anything to troff.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '"') {
      out += "\\(dq";  // within the quotes of a macro's argument too
    } else {
      out += c;
    }
    line_begins = c == '\n';
  }
  return out;
}

std::string default_of(const Setting& setting) {
  if (setting.required) return "Required.";
  const auto value = setting.default_text.empty() ? setting.default_words : setting.default_text;
  return "Default: " + escaped(value) + '.';
}

std::string entry(const std::string& key, const Setting& setting) {
  auto out = fmt::format(".TP\n.B {}\n{}\n", escaped(key), escaped(setting.help));
  out += ".br\n" + escaped(fmt::format("{}: {}.", setting.list ? "Values, in a list" : "Value", allowed(setting))) + '\n';
  out += default_of(setting) + '\n';
  if (setting.effect == Effect::kRestart) out += "A change takes a restart.\n";
  return out;
}

/// "service.backend" as the file has it: "[[service.backend]]".
std::string header(const Section& section, const std::string& path) {
  return section.repeated ? "[[" + path + "]]" : "[" + path + "]";
}

void write_settings(const Section& section, const std::string& prefix, std::string& out) {
  for (const Setting& setting : section.settings) out += entry(prefix + std::string(setting.key), setting);
  for (const Section* inner : section.sections) {
    if (inner->dotted) write_settings(*inner, prefix + std::string(inner->name) + '.', out);
  }
}

void write_section(const Section& section, const std::string& path, std::string& out) {
  out += fmt::format(".SH \"{}\"\n{}\n", escaped(header(section, path)), escaped(section.help));
  write_settings(section, "", out);
  for (const Section* inner : section.sections) {
    if (!inner->dotted) write_section(*inner, path + '.' + std::string(inner->name), out);
  }
}

}  // namespace

std::string man_page(std::string_view version, std::string_view example) {
  auto out = fmt::format(
      ".\\\" Made from the table of settings; change that one.\n.TH WSL4.TOML 5 \"\" \"wsl4 {}\" \"File Formats Manual\"\n",
      escaped(version));
  out += kIntroduction;
  for (const Section* section : schema().sections) write_section(*section, std::string(section->name), out);
  out += kJoining;
  out += ".SH EXAMPLE\n.EX\n" + escaped(example);
  if (!example.empty() && example.back() != '\n') out += '\n';
  out += ".EE\n";
  return out += kEnd;
}

}  // namespace wsl4::config
