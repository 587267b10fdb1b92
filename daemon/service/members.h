// The members of a JSON object as the values of a change. Every member that is wrong is told, not only the first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/json/object.hpp>

#include "daemon/service/change.h"

namespace wsl4::service {

class Members {
 public:
  /// `object` outlives this.
  explicit Members(const boost::json::object& object) : object_(object) {}

  /// Of type int, unsigned, string, Endpoint or AdminState, or an optional of one, as the member's setting has it. What is not
  /// there, or wrong, leaves `target` as it is.
  template <class T>
  void read(std::string_view member, T& target) {
    if (const auto value = value_of(member)) assign(*value, target);
  }
  template <class T>
  void require(std::string_view member, T& target) {
    read(member, target);
    if (!object_.contains(member)) tell(member, "is missing");
  }
  /// Null if it is not there, or wrong.
  [[nodiscard]] const boost::json::object* read_object(std::string_view member);

  /// Sentences that begin with the member's name. Members that nobody has asked for are unknown.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  [[nodiscard]] std::optional<config::Value> value_of(std::string_view member);
  void tell(std::string_view member, std::string_view what);

  template <class T>
  static void assign(const config::Value& value, T& target) {
    if constexpr (std::is_enum_v<T>) {
      target = static_cast<T>(std::get<config::ChoiceIndex>(value).index);
    } else if constexpr (std::is_integral_v<T>) {
      target = static_cast<T>(std::get<std::int64_t>(value));
    } else {
      target = std::get<T>(value);
    }
  }
  template <class T>
  static void assign(const config::Value& value, std::optional<T>& target) {
    assign(value, target.emplace());
  }

  const boost::json::object& object_;
  std::vector<std::string_view> known_;
  std::vector<std::string> problems_;
};

/// address (required), weight, max_connections, public.
[[nodiscard]] AddBackend read_add(Members& members);

}  // namespace wsl4::service
