// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/event_json.hpp"

#include <array>
#include <cstdio>
#include <cstring>

#include "sdk/core/common/id.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxCommandWords = 256;
constexpr std::size_t kMaxWordBytes = 4096;
constexpr std::array<const char*, 6> kKinds = {"KIND_UNSPECIFIED", "KIND_CONNECT", "KIND_DNS",
                                               "KIND_SYSCALL",     "KIND_FILE",    "KIND_LIMIT"};

// Of a sequence of at most 3 bytes; 0xFFFF for longer ones, none of which is a control character.
unsigned code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0);
  if (sequence.size() == 2) return (byte(0) & 0x1FU) << 6 | (byte(1) & 0x3FU);
  if (sequence.size() == 3)
    return (byte(0) & 0xFU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
  return 0xFFFF;
}

// C0, C1 and what some readers take for the end of a line: an event is one line for all of them.
bool is_control(unsigned point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x2028 || point == 0x2029;
}

std::string head(const RunIdentity& run) {
  std::string text =
      "{\"id\":" + json_text(make_uuid()) + ",\"time\":" + json_text(to_rfc3339(wall_now()));
  if (!run.agent_id.empty()) text += ",\"agent_id\":" + json_text(run.agent_id);
  text += ",\"session_id\":" + json_text(run.session_id);
  if (!run.trace_id.empty()) text += ",\"trace_id\":" + json_text(run.trace_id);
  return text + ",\"source\":\"SOURCE_SANDBOX\"";
}

// "EPERM"; the number where libc has no name.
std::string name_error(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? std::to_string(error) : name;
}

// proto3 JSON writes 64-bit numbers as text.
std::string number(std::uint64_t value) { return "\"" + std::to_string(value) + "\""; }

std::string text_list(const std::vector<std::string>& words) {
  std::string text = "[";
  for (std::size_t i = 0; i < words.size() && i < kMaxCommandWords; ++i)
    text += (i == 0 ? "" : ",") + json_text(std::string_view(words[i]).substr(0, kMaxWordBytes));
  return text + "]";
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else if (byte == '"' || byte == '\\') {
      result += '\\';
      result += text[0];
    } else if (const unsigned point = code_point(text.substr(0, length)); is_control(point)) {
      char escaped[8];
      (void)std::snprintf(escaped, sizeof(escaped), "\\u%04x", point);
      result += escaped;
    } else {
      result.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result + "\"";
}

std::string start_event(const RunIdentity& run, const std::vector<std::string>& command,
                        const std::string& profile, const std::vector<std::string>& mechanisms,
                        const std::vector<std::string>& boundary, const std::string& workspace,
                        const StartKind& kind) {
  return head(run) + ",\"sandbox_start\":{\"command\":" + text_list(command) +
         ",\"profile\":" + json_text(profile) + ",\"pid_namespace\":\"" +
         std::to_string(run.pid_namespace) + "\",\"mechanisms\":" + text_list(mechanisms) +
         ",\"boundary\":" + text_list(boundary) + ",\"workspace\":" + json_text(workspace) +
         ",\"start_kind\":\"" + (kind.is_warm ? "warm" : "cold") + "\"" +
         (kind.cold_reason.empty() ? "" : ",\"cold_reason\":" + json_text(kind.cold_reason)) + "}}";
}

std::string denial_event(const RunIdentity& run, const FoldedDenial& folded,
                         std::chrono::steady_clock::time_point now, WallTime wall_now) {
  const Denial& denial = folded.denial;
  const auto wall = [&](std::chrono::steady_clock::time_point at) {
    const auto age = std::chrono::duration_cast<std::chrono::nanoseconds>(now - at).count();
    return json_text(to_rfc3339({wall_now.nanoseconds - age}));
  };
  std::string text = head(run) + ",\"sandbox_denial\":{\"kind\":\"" +
                     kKinds.at(static_cast<std::size_t>(denial.kind)) +
                     "\",\"target\":" + json_text(denial.target);
  if (!denial.protocol.empty()) text += ",\"protocol\":" + json_text(denial.protocol);
  if (!denial.name.empty()) text += ",\"name\":" + json_text(denial.name);
  if (!denial.reason.empty()) text += ",\"reason\":" + json_text(denial.reason);
  text += ",\"count\":\"" + std::to_string(folded.count) + "\"";
  if (denial.error != 0) text += ",\"error\":" + json_text(name_error(denial.error));
  return text + ",\"first_time\":" + wall(folded.first) + ",\"last_time\":" + wall(folded.last) +
         "}}";
}

std::string carried_event(const RunIdentity& run, const Carried& carried) {
  return head(run) + ",\"socket_close\":{\"protocol\":\"tcp\",\"destination_port\":" +
         std::to_string(carried.host.port) + ",\"name\":" + json_text(carried.host.name) +
         ",\"name_source\":\"" + (carried.door == Door::kTls ? "sni" : "http_host") +
         "\",\"bytes_sent\":\"" + std::to_string(carried.sent_bytes) + "\",\"bytes_received\":\"" +
         std::to_string(carried.received_bytes) + "\",\"duration_us\":\"" +
         std::to_string(carried.duration.count()) + "\"}}";
}

std::string log_event(const RunIdentity& run, const AgentLine& line) {
  std::string text = head(run) + ",\"agent_log\":{\"level\":" + json_text(line.level) +
                     ",\"message\":" + json_text(line.message) +
                     ",\"stream\":" + json_text(line.stream);
  if (!line.fields.empty()) {
    text += ",\"fields\":{";
    bool is_first = true;
    for (const auto& [name, value] : line.fields) {
      text += (is_first ? "" : ",") + json_text(name) + ":" + json_text(value);
      is_first = false;
    }
    text += "}";
  }
  if (line.lost_lines != 0) text += ",\"lost_lines\":" + number(line.lost_lines);
  if (line.cut_bytes != 0) text += ",\"cut_bytes\":" + number(line.cut_bytes);
  return text + "}}";
}

std::string exit_event(const RunIdentity& run, const ExitReport& report) {
  std::string text =
      head(run) + ",\"sandbox_exit\":{\"exit_code\":" + std::to_string(report.exit_code) +
      ",\"signal\":" + std::to_string(report.signal) +
      ",\"duration_us\":" + number(static_cast<std::uint64_t>(report.duration.count())) +
      ",\"denials\":" + number(report.denials) +
      ",\"output_bytes\":" + number(report.output_bytes) +
      ",\"log_lines\":" + number(report.log_lines);
  if (report.lost_log_lines != 0) text += ",\"lost_log_lines\":" + number(report.lost_log_lines);
  if (!report.limits.empty()) text += ",\"limits\":" + text_list(report.limits);
  if (report.ended_by_limit) text += ",\"ended_by_limit\":true";
  return text + "}}";
}

}  // namespace aispm::sandbox
