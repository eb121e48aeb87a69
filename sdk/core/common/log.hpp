// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

// Structured logs: `log::info("ring.dropped", {{"count", n}, {"probe", name}})`.
// One logfmt line on stderr: time, level, event name, fields. Never per event or per request: that
// is a counter.
namespace aispm::log {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  Field(std::string_view field_key, std::string_view field_value)
      : key(field_key), value(field_value) {}
  Field(std::string_view field_key, const char* field_value)
      : key(field_key), value(std::string_view(field_value)) {}
  Field(std::string_view field_key, const std::string& field_value)
      : key(field_key), value(std::string_view(field_value)) {}
  Field(std::string_view field_key, bool field_value) : key(field_key), value(field_value) {}
  template <std::floating_point T>
  Field(std::string_view field_key, T field_value)
      : key(field_key), value(static_cast<double>(field_value)) {}
  template <std::signed_integral T>
  Field(std::string_view field_key, T field_value)
      : key(field_key), value(static_cast<std::int64_t>(field_value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view field_key, T field_value)
      : key(field_key), value(static_cast<std::uint64_t>(field_value)) {}
  Field(std::string_view, const Secret&) = delete;  // secrets cannot be logged

  std::string_view key;
  Value value;
};

using Fields = std::initializer_list<Field>;

// Below this level nothing is written. Default kInfo; the environment variable AISPM_LOG overrides
// (debug|info|warn|error).
void set_level(Level level);
// Kept in every line, e.g. "sensord". Set once in main before threads start.
void set_program(std::string name);

void debug(std::string_view event, Fields fields = {});  // off by default
void info(std::string_view event, Fields fields = {});   // state changed
void warn(std::string_view event, Fields fields = {});   // degraded but working
void error(std::string_view event, Fields fields = {});  // a human must act
void error(std::string_view event, const Error& reason);

}  // namespace aispm::log
