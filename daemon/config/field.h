// Binds a setting to the member of the Config that it fills: field<&Service::mode>(). For schema.cpp only.
#pragma once

#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "daemon/config/schema.h"

namespace wsl4::config::binding {

template <class T>
struct Member;
template <class P, class V>
struct Member<V P::*> {
  using Part = P;
  using Type = V;
};
template <auto M>
using PartOf = typename Member<decltype(M)>::Part;
template <auto M>
using TypeOf = typename Member<decltype(M)>::Type;

template <class T>
struct ItemOf {
  using Type = T;
  static constexpr bool kList = false;
};
template <class T>
struct ItemOf<std::vector<T>> {
  using Type = T;
  static constexpr bool kList = true;
};
template <class T>
struct ItemOf<std::optional<T>> : ItemOf<T> {};

/// Tables that stand once in the file.
template <class Part>
constexpr bool kSingle =
    std::is_same_v<Part, Node> || std::is_same_v<Part, Control> || std::is_same_v<Part, Ha> || std::is_same_v<Part, Addresses>;

template <class Part>
const Part* single_part(const Config& config) {
  if constexpr (std::is_same_v<Part, Node>) return &config.node;
  if constexpr (std::is_same_v<Part, Control>) return &config.control;
  if constexpr (std::is_same_v<Part, Ha>) return config.ha ? &*config.ha : nullptr;
  if constexpr (std::is_same_v<Part, Addresses>) return &config.addresses;
}

template <class Part>
Part& part(const Target& target) {
  Config& config = target.draft->config;
  if constexpr (std::is_same_v<Part, Node>) return config.node;
  if constexpr (std::is_same_v<Part, Control>) return config.control;
  if constexpr (std::is_same_v<Part, Ha>) return *config.ha;
  if constexpr (std::is_same_v<Part, Addresses>) return config.addresses;
  if constexpr (std::is_same_v<Part, Pool>) return *target.pool;
  if constexpr (std::is_same_v<Part, Service>) return *target.service;
  if constexpr (std::is_same_v<Part, Health>) return target.service->health;
  if constexpr (std::is_same_v<Part, Backend>) return *target.backend;
}

template <class Part>
const Part* part(const Source& source) {
  if constexpr (kSingle<Part>) return single_part<Part>(*source.config);
  if constexpr (std::is_same_v<Part, Pool>) return source.pool;
  if constexpr (std::is_same_v<Part, Service>) return source.service;
  if constexpr (std::is_same_v<Part, Health>) return &source.service->health;
  if constexpr (std::is_same_v<Part, Backend>) return source.backend;
}

template <class T>
T converted(const Value& value) {
  if constexpr (std::is_same_v<T, Protocol>) {
    return std::get<ChoiceIndex>(value).index == 0 ? Protocol::kTcp : Protocol::kUdp;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(std::get<ChoiceIndex>(value).index);  // choices stand in the enum's order
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<T>(std::get<std::int64_t>(value));
  } else {
    return std::get<T>(value);
  }
}

/// The reverse of converted().
template <class T>
Value value_of(const T& stored) {
  if constexpr (std::is_same_v<T, Protocol>) {
    return ChoiceIndex{stored == Protocol::kTcp ? 0U : 1U};
  } else if constexpr (std::is_enum_v<T>) {
    return ChoiceIndex{static_cast<std::size_t>(stored)};
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<std::int64_t>(stored);
  } else {
    return stored;
  }
}

template <auto M>
void store(const Target& target, const Value& value) {
  auto& member = part<PartOf<M>>(target).*M;
  using Item = ItemOf<TypeOf<M>>;
  const bool wrong = std::holds_alternative<std::monostate>(value);
  if constexpr (Item::kList) {
    // A wrong item keeps its place, so that those behind it keep their index.
    member.push_back(wrong ? typename Item::Type{} : converted<typename Item::Type>(value));
  } else {
    if (!wrong) member = converted<typename Item::Type>(value);
  }
}

template <auto M>
bool is_default(const Target& target) {
  return part<PartOf<M>>(target).*M == PartOf<M>{}.*M;
}

template <auto M>
bool same(const Config& one, const Config& two) {
  const auto* a = single_part<PartOf<M>>(one);
  const auto* b = single_part<PartOf<M>>(two);
  return a == nullptr || b == nullptr ? a == b : a->*M == b->*M;
}

template <auto M>
std::vector<Value> load(const Source& source) {
  const auto* owner = part<PartOf<M>>(source);
  if (owner == nullptr) return {};
  const auto& member = owner->*M;
  if constexpr (ItemOf<TypeOf<M>>::kList) {
    std::vector<Value> values;
    values.reserve(member.size());
    for (const auto& item : member) values.push_back(value_of(item));
    return values;
  } else if constexpr (requires { member.has_value(); }) {
    return member ? std::vector{value_of(*member)} : std::vector<Value>{};
  } else {
    return {value_of(member)};
  }
}

template <auto M>
constexpr Field field() {
  if constexpr (kSingle<PartOf<M>>) {
    return {store<M>, is_default<M>, same<M>, load<M>};
  } else {
    return {store<M>, is_default<M>, nullptr, load<M>};
  }
}

/// A setting "min-max" that fills two members of a table that can occur more than once.
template <auto Min, auto Max>
constexpr Field range_field() {
  return {[](const Target& target, const Value& value) {
            if (const auto* range = std::get_if<NumberRange>(&value)) {
              auto& owner = part<PartOf<Min>>(target);
              owner.*Min = range->min;
              owner.*Max = range->max;
            }
          },
          [](const Target& target) { return is_default<Min>(target) && is_default<Max>(target); }, nullptr,
          [](const Source& source) {
            const auto& owner = *part<PartOf<Min>>(source);
            return std::vector<Value>{NumberRange{owner.*Min, owner.*Max}};
          }};
}

}  // namespace wsl4::config::binding
