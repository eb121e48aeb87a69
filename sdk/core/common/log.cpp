// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "sdk/core/common/utf8.hpp"

namespace aispm::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string& program() {
  static std::string name = "aispm";
  return name;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("aispm",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::info);
    if (const char* wanted = std::getenv("AISPM_LOG"))
      made->set_level(spdlog::level::from_str(wanted));
    return made;
  }();
  return *instance;
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const unsigned char c : text)
    if (c <= ' ' || c == '"' || c == '=' || c >= 0x7f) return true;
  return false;
}

// The first character is none that may stand in a line: a control (U+0080 to U+009F are some, too:
// terminals take U+009B for ESC [), or a byte that is no UTF-8, as a file may hold it.
bool is_strange(std::string_view text, std::size_t size) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (size == 1) return first < ' ' || first == 0x7f;
  return size == 0 || (size == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
}

// Controls are escaped, and so is what is no UTF-8: a logged value can never forge a second line or
// a terminal sequence, and the log stays text.
void append_text(std::string& line, std::string_view text) {
  if (!needs_quotes(text)) {
    line += text;
    return;
  }
  static constexpr char kHex[] = "0123456789abcdef";
  line += '"';
  while (!text.empty()) {
    const std::size_t known = utf8_length(text);
    const std::string_view one = text.substr(0, std::max<std::size_t>(known, 1));
    if (is_strange(text, known)) {
      for (const unsigned char c : one) {
        line += "\\x";
        line += kHex[c >> 4];
        line += kHex[c & 15];
      }
    } else {
      if (one == "\"" || one == "\\") line += '\\';
      line += one;
    }
    text.remove_prefix(one.size());
  }
  line += '"';
}

void append_value(std::string& line, const Field::Value& value) {
  std::visit(
      [&line](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string_view>)
          append_text(line, held);
        else if constexpr (std::is_same_v<T, bool>)
          line += held ? "true" : "false";
        else
          line += std::to_string(held);
      },
      value);
}

void write(Level level, std::string_view event, Fields fields) {
  const auto mapped = to_spdlog(level);
  if (!logger().should_log(mapped)) return;
  std::string line = "program=" + program() + " event=";
  append_text(line, event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  logger().log(mapped, spdlog::string_view_t(line.data(), line.size()));
  if (level >= Level::kInfo) logger().flush();
}

}  // namespace

void set_level(Level level) { logger().set_level(to_spdlog(level)); }
void set_program(std::string name) { program() = std::move(name); }

void debug(std::string_view event, Fields fields) { write(Level::kDebug, event, fields); }
void info(std::string_view event, Fields fields) { write(Level::kInfo, event, fields); }
void warn(std::string_view event, Fields fields) { write(Level::kWarn, event, fields); }
void error(std::string_view event, Fields fields) { write(Level::kError, event, fields); }
void error(std::string_view event, const Error& reason) {
  write(
      Level::kError, event,
      {{"code", name_of(reason.code)}, {"reason", reason.message}, {"errno", reason.system_errno}});
}

}  // namespace aispm::log
