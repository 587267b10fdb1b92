#include "daemon/service/registration.h"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <boost/json/parse.hpp>

#include "daemon/config/schema.h"

namespace wsl4::service {
namespace {

namespace json = boost::json;
using config::Setting;

constexpr Setting kTtl = {.key = "ttl", .type = config::Type::kDuration, .min = 5'000, .max = 3'600'000};  // milliseconds

const Setting& backend_setting(std::string_view key) {
  return *config::schema().section("service")->section("backend")->setting(key);
}

/// As the configuration's own reader takes it; nothing where TOML has no such value.
std::optional<config::Item> to_item(const json::value& value) {
  config::Item item;
  if (const auto* text = value.if_string()) {
    item.value = std::string(*text);
  } else if (const auto* number = value.if_int64()) {
    item.value = *number;
  } else if (value.is_uint64()) {
    item.value = value.to_number<double>();  // too large for any setting
  } else if (const auto* fraction = value.if_double()) {
    item.value = *fraction;
  } else if (const auto* flag = value.if_bool()) {
    item.value = *flag;
  } else {
    return std::nullopt;
  }
  return item;
}

/// Takes members out one by one, and remembers what was wrong.
class Reader {
 public:
  explicit Reader(json::object members) : left_(std::move(members)) {}

  template <class T>
  std::optional<T> take(const Setting& setting, bool required) {
    const auto* member = left_.if_contains(setting.key);
    if (member == nullptr) {
      if (required) problems_.push_back(fmt::format("{}: is missing ({})", setting.key, config::allowed(setting)));
      return std::nullopt;
    }
    const auto item = to_item(*member);
    left_.erase(setting.key);
    auto value = item ? config::read_value(setting, *item)
                      : tl::expected<config::Value, std::string>(tl::unexpect, "is neither a string nor a number");
    if (value) return std::get<T>(std::move(*value));
    problems_.push_back(fmt::format("{}: {} ({})", setting.key, value.error(), config::allowed(setting)));
    return std::nullopt;
  }

  std::vector<std::string> finish() {
    for (const auto& member : left_) {
      problems_.push_back(fmt::format("{}: there is no such member (address, ttl, weight, max_connections, public)",
                                      config::in_quotes(std::string_view(member.key()))));
    }
    return std::move(problems_);
  }

 private:
  json::object left_;
  std::vector<std::string> problems_;
};

}  // namespace

tl::expected<Registration, std::vector<std::string>> parse_registration(std::string_view body) {
  boost::system::error_code error;
  const auto document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return tl::make_unexpected(std::vector{fmt::format("the body is not JSON: {}", error.message())});
  const auto* members = document.if_object();
  if (members == nullptr) return tl::make_unexpected(std::vector<std::string>{"the body is not a JSON object"});
  return read_registration(*members);
}

tl::expected<Registration, std::vector<std::string>> read_registration(const json::object& members) {
  Reader reader(members);
  const auto address = reader.take<netlink::Endpoint>(backend_setting("address"), true);
  const auto ttl = reader.take<std::chrono::milliseconds>(kTtl, true);
  const auto weight = reader.take<std::int64_t>(backend_setting("weight"), false);
  const auto max_connections = reader.take<std::int64_t>(backend_setting("max_connections"), false);
  const auto public_address = reader.take<std::string>(backend_setting("public"), false);
  auto problems = reader.finish();
  if (!problems.empty()) return tl::make_unexpected(std::move(problems));

  Registration registration;
  registration.address = *address;
  registration.ttl = *ttl;
  registration.weight = static_cast<int>(weight.value_or(registration.weight));
  registration.max_connections = static_cast<std::uint64_t>(max_connections.value_or(0));
  registration.public_address = public_address.value_or("");
  return registration;
}

json::object to_json(const Registration& registration) {
  json::object members;
  members["address"] = registration.address.to_string();
  members["ttl"] = config::format_duration(registration.ttl);
  members["weight"] = registration.weight;
  members["max_connections"] = static_cast<std::int64_t>(registration.max_connections);
  if (!registration.public_address.empty()) members["public"] = registration.public_address;
  return members;
}

tl::expected<void, std::string> check_backend_name(const std::string& name) {
  const Setting& setting = backend_setting("name");
  config::Item item;
  item.value = name;
  const auto value = config::read_value(setting, item);
  if (!value) return tl::make_unexpected(fmt::format("{} ({})", value.error(), config::allowed(setting)));
  return {};
}

}  // namespace wsl4::service
