// Every setting of the configuration file, in one table: the parser, the man page, the check of the example and completion are
// made from it. Names, ranges and defaults are the promise to users (wsl4.toml(5)).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/config/value.h"

namespace wsl4::config {

/// A configuration on its way: pools' addresses are still ranges, in the file's order, so that problems can name them.
struct Draft {
  Config config;
  std::vector<std::vector<AddressRange>> pool_ranges;  // as config.pools; a wrong item is an empty AddressRange
};

/// The part of the draft that a table of the file fills. Pointers are null outside of such a table.
struct Target {
  Draft* draft = nullptr;
  Pool* pool = nullptr;
  Service* service = nullptr;
  Backend* backend = nullptr;
};

/// The same for reading; `config` is always there.
struct Source {
  const Config* config = nullptr;
  const Pool* pool = nullptr;
  const Service* service = nullptr;
  const Backend* backend = nullptr;
};

enum class Type : std::uint8_t {
  kBoolean,
  kInteger,
  kMask,        // bits of a 32-bit word, contiguous, two or more
  kDuration,    // "2s"
  kChoice,      // one of `choices`
  kName,        // [a-z0-9-], at most 32 characters
  kHostName,    // letters, digits, '.', '-', '_'
  kPath,        // absolute path
  kSocketPath,  // the same, short enough for sockaddr_un
  kInterface,   // network interface
  kEndpoint,    // ADDRESS:PORT to bind or connect to
  kTraffic,     // ADDRESS:PORT that packets are forwarded from or to
  kAddress,     // unicast address
  kPrefix,      // ADDRESS/LENGTH
  kAddresses,   // range, single or prefix
  kPorts,       // "1-65535"
  kStatus,      // HTTP status or range of them
  kUrlPath,     // "/ws"
  kText,        // printable, no spaces
  kDiscovery,   // "dns:…"
};

/// When a changed value takes effect.
enum class Effect : std::uint8_t { kReload, kRestart };

struct Choice {
  std::string_view word;
};

/// How a setting reaches its place in the Config; made by field.h.
struct Field {
  void (*store)(const Target&, const Value&) = nullptr;          // of a list: appends
  bool (*is_default)(const Target&) = nullptr;                   // what is stored equals the default
  bool (*same)(const Config& one, const Config& two) = nullptr;  // null in tables that can occur more than once
  std::vector<Value> (*load)(const Source&) = nullptr;           // the value, or a list's items; none where none is set
};

struct Setting {
  std::string_view key = {};
  Type type = Type::kText;
  bool list = false;
  bool required = false;
  std::string_view default_text = {};   // as written in the file; empty: none, or `default_words`
  std::string_view default_words = {};  // where the default is no constant
  std::int64_t min = 0, max = 0;        // integers, HTTP statuses; durations in milliseconds
  std::int64_t step = 1;
  bool zero = false;  // zero is allowed below `min`
  std::span<const Choice> choices = {};
  Effect effect = Effect::kReload;
  std::string_view example = {};  // as written in the file
  std::string_view help = {};
  Field field = {};
};

/// A table of the file. `name` is empty for the file itself.
struct Section {
  std::string_view name = {};
  bool repeated = false;  // [[name]]
  bool dotted = false;    // usually written as name.key within its parent
  std::string_view help = {};
  std::span<const Setting> settings = {};
  std::span<const Section* const> sections = {};
  void (*enter)(Target&) = nullptr;  // makes the part that the table fills

  [[nodiscard]] const Setting* setting(std::string_view key) const;
  [[nodiscard]] const Section* section(std::string_view key) const;
};

/// The file.
[[nodiscard]] const Section& schema();

/// Every setting with its full key ("service.backend.weight"), in the order of the schema.
struct NamedSetting {
  std::string key;
  const Section* section;
  const Setting* setting;
};
[[nodiscard]] std::vector<NamedSetting> all_settings();

}  // namespace wsl4::config
