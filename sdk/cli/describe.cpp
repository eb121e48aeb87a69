// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/describe.hpp"

#include <cstdio>

#include "sdk/core/model/event.hpp"

namespace aispm::cli {
namespace {

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

template <typename Texts>
std::string join(const Texts& texts, const char* between = " ") {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : between) + text;
  return out;
}

std::string address(const std::string& host, std::uint32_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

std::string in_brackets(const std::string& name) { return name.empty() ? "" : " (" + name + ")"; }

std::string describe_exit(std::uint32_t code, std::uint32_t signal) {
  return signal != 0 ? "ended by signal " + std::to_string(signal)
                     : "ended with exit code " + std::to_string(code);
}

std::string describe_call(const v1::LlmCall& call) {
  const std::string model =
      call.response_model().empty() ? call.request_model() : call.response_model();
  std::string text = call.provider() + " " + model + (call.stream() ? " (stream)" : "");
  text += call.status() == 0 ? ": no reply" : ": " + std::to_string(call.status());
  if (call.input_tokens() + call.output_tokens() > 0)
    text += ", " + std::to_string(call.input_tokens()) + "+" +
            std::to_string(call.output_tokens()) + " tokens";
  if (call.duration_us() > 0) text += ", " + duration_text(call.duration_us());
  if (call.tools_called_size() > 0) text += ", tools: " + join(call.tools_called(), ", ");
  if (!call.finish_reason().empty()) text += ", " + call.finish_reason();
  if (call.fallback()) text += ", from " + call.upstream() + " as a fallback";
  if (!call.shadow_of().empty()) text += ", shadow of " + call.shadow_of();
  if (call.cached()) text += ", from the cache";
  return text + (call.partial() ? ", seen with gaps" : "");
}

std::string describe_denial(const v1::SandboxDenial& denial) {
  std::string text = "refused " + word(denial.kind()) + " " + denial.target();
  if (!denial.protocol().empty()) text += " (" + denial.protocol() + ")";
  if (!denial.error().empty()) text += " with " + denial.error();
  if (!denial.name().empty()) text += ", " + denial.name();
  if (denial.count() > 1) text += ", " + std::to_string(denial.count()) + " times";
  return denial.reason().empty() ? text : text + ": " + denial.reason();
}

std::string describe_use(const v1::AiUse& use) {
  std::string text = use.sanctioned() ? "sanctioned" : "unsanctioned";
  text += " AI: " + use.provider() + (use.model().empty() ? "" : " " + use.model());
  if (!use.host().empty()) text += " at " + use.host();
  text += " (" + use.evidence() + ", confidence " + format("%.2f", use.confidence()) + ")";
  return use.detail().empty() ? text : text + ": " + use.detail();
}

std::string describe_health(const v1::ComponentHealth& health) {
  std::string text = health.component() + " " + health.state();
  if (health.reasons_size() > 0) text += ": " + join(health.reasons(), "; ");
  std::uint64_t lost = 0;
  for (const auto& [cause, count] : health.losses()) lost += count;
  return lost > 0 ? text + " (losses: " + std::to_string(lost) + ")" : text;
}

std::string describe_log(const v1::AgentLog& log) {
  const std::string stream = log.stream().empty() ? "" : log.stream() + " ";
  std::string text = stream + log.level() + ": " + log.message();
  for (const auto& [key, value] : log.fields()) text += " " + key + "=" + value;
  if (log.lost_lines() != 0)
    text += " (" + std::to_string(log.lost_lines()) + " lines before it not recorded)";
  return text;
}

}  // namespace

WallTime wall_of(const google::protobuf::Timestamp& time) {
  return {time.seconds() * 1'000'000'000 + time.nanos()};
}

std::string time_text(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  std::string text = to_rfc3339(wall_of(time)).substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string age_text(const google::protobuf::Timestamp& time, WallTime now) {
  if (time.seconds() == 0) return "-";
  const std::int64_t seconds =
      std::max<std::int64_t>(0, now.nanoseconds / 1'000'000'000 - time.seconds());
  if (seconds < 100) return std::to_string(seconds) + " s ago";
  if (seconds < 100 * 60) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86400) + " d ago";
}

std::string duration_text(std::uint64_t microseconds) {
  if (microseconds < 1000) return std::to_string(microseconds) + " us";
  const double milliseconds = static_cast<double>(microseconds) / 1000;
  if (milliseconds < 1000) return format(milliseconds < 10 ? "%.1f ms" : "%.0f ms", milliseconds);
  const double seconds = milliseconds / 1000;
  if (seconds < 100) return format("%.1f s", seconds);
  return std::to_string(microseconds / 60'000'000) + " min " +
         std::to_string(microseconds / 1'000'000 % 60) + " s";
}

std::string size_text(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return format(unit == 0 ? "%.0f " : "%.1f ", value) + kUnits[unit];
}

std::string kind_of(const v1::Event& event) {
  const auto* const field = v1::Event::descriptor()->FindFieldByNumber(event.body_case());
  return field == nullptr ? "" : field->name();
}

std::string word(v1::Decision::Outcome outcome) {
  const bool known = v1::Decision::Outcome_IsValid(outcome);
  return known ? std::string(name_of(static_cast<model::Outcome>(outcome)))
               : std::to_string(outcome);
}

std::string word(v1::Severity severity) {
  const bool known = v1::Severity_IsValid(severity);
  return known ? std::string(name_of(static_cast<model::Severity>(severity)))
               : std::to_string(severity);
}

std::string word(v1::SandboxDenial::Kind kind) {
  const bool known = v1::SandboxDenial::Kind_IsValid(kind);
  return known ? std::string(name_of(static_cast<model::DenialKind>(kind))) : std::to_string(kind);
}

std::string word(v1::Source source) {
  const bool known = v1::Source_IsValid(source);
  return known ? std::string(name_of(static_cast<model::Source>(source))) : std::to_string(source);
}

std::string actor_of(const v1::Event& event) {
  if (!event.agent_id().empty()) return event.agent_id();
  if (event.has_process())
    return event.process().comm() + "[" + std::to_string(event.process().pid()) + "]";
  return event.host_id();
}

std::string describe(const v1::Event& event) {
  switch (event.body_case()) {
    case v1::Event::BODY_NOT_SET:
      return "an event of a kind this version does not know";
    case v1::Event::kProcessExec: {
      const auto& process = event.process();
      return "started " + (process.argv_size() > 0 ? join(process.argv()) : process.exe());
    }
    case v1::Event::kProcessExit:
      return event.process().comm() + "[" + std::to_string(event.process().pid()) + "] " +
             describe_exit(event.process_exit().exit_code(), event.process_exit().signal());
    case v1::Event::kSocketListen:
      return "listens on " + address(event.socket_listen().address(), event.socket_listen().port());
    case v1::Event::kSocketConnect:
      return (event.socket_connect().outcome() == "established" ? "connected to "
                                                                : "tried to connect to ") +
             address(event.socket_connect().destination_address(),
                     event.socket_connect().destination_port()) +
             in_brackets(event.socket_connect().name()) +
             (event.socket_connect().outcome() == "failed" ? ": failed" : "");
    case v1::Event::kLlmCall:
      return describe_call(event.llm_call());
    case v1::Event::kSandboxStart:
      return "sandbox started: " + join(event.sandbox_start().command());
    case v1::Event::kSandboxExit:
      return "sandbox " +
             describe_exit(event.sandbox_exit().exit_code(), event.sandbox_exit().signal()) +
             " after " + duration_text(event.sandbox_exit().duration_us()) +
             (event.sandbox_exit().limits_size() == 0
                  ? ""
                  : ", limit reached: " + join(event.sandbox_exit().limits(), ", "));
    case v1::Event::kSandboxDenial:
      return describe_denial(event.sandbox_denial());
    case v1::Event::kAgentReady:
      return "says it is ready: " + event.agent_ready().name() + " " +
             event.agent_ready().version();
    case v1::Event::kAgentLog:
      return describe_log(event.agent_log());
    case v1::Event::kAiUse:
      return describe_use(event.ai_use());
    case v1::Event::kComponentHealth:
      return describe_health(event.component_health());
    default:
      return describe_host(event);
  }
}

std::string verdict_of(const v1::Event& event) {
  std::string text;
  const auto outcome = event.decision().outcome();
  if (outcome != v1::Decision::OUTCOME_UNSPECIFIED && outcome != v1::Decision::OUTCOME_ALLOW) {
    text = (event.decision().mode() == "monitor" ? "would " : "") + word(outcome);
    if (!event.decision().rule_id().empty()) text += " (" + event.decision().rule_id() + ")";
  }
  if (event.detections_size() == 0) return text;
  std::string seen = event.detections(0).rule_id();
  if (event.detections_size() > 1) seen += " +" + std::to_string(event.detections_size() - 1);
  return text.empty() ? seen : text + " " + seen;
}

Style verdict_style(const v1::Event& event) {
  const auto outcome = event.decision().outcome();
  if (outcome == v1::Decision::OUTCOME_REDACT || event.decision().mode() == "monitor")
    return Style::kWarn;
  if (outcome != v1::Decision::OUTCOME_UNSPECIFIED && outcome != v1::Decision::OUTCOME_ALLOW)
    return Style::kBad;
  return event.detections_size() > 0 ? Style::kWarn : Style::kPlain;
}

}  // namespace aispm::cli
