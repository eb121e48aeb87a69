// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sdk/core/common/time.hpp"

// The product's vocabulary as plain structs; proto/aispm/v1/event.proto has the same fields and
// documents each of them. report/convert.hpp maps one to the other.
namespace aispm::model {

enum class Source : std::uint8_t { kUnspecified, kSensor, kGateway, kSandbox, kSdk, kCollector };
enum class Severity : std::uint8_t { kUnspecified, kInfo, kLow, kMedium, kHigh, kCritical };
enum class Outcome : std::uint8_t {
  kUnspecified,
  kAllow,
  kDeny,
  kRedact,
  kRequireApproval,
  kStepUp,
  kRequireTicket,
  kRequireHuman
};
enum class DenialKind : std::uint8_t { kUnspecified, kConnect, kDns, kSyscall, kFile, kLimit };

// Lower-case words as used in YAML, JSON and logs ("deny", "high", "gateway", "connect").
std::string_view name_of(Source source);
std::string_view name_of(Severity severity);
std::string_view name_of(Outcome outcome);
std::string_view name_of(DenialKind kind);
std::optional<Severity> parse_severity(std::string_view name);
std::optional<Outcome> parse_outcome(std::string_view name);

// A process on one boot of one host: pids are reused, the pair is not.
struct ProcessId {
  std::uint32_t pid = 0;
  BootTime start;
  auto operator<=>(const ProcessId&) const = default;
};

struct Process {
  ProcessId id;
  ProcessId parent;
  std::uint32_t uid = 0;
  std::string user;
  std::string comm;
  std::string exe;
  std::vector<std::string> argv;
  bool argv_truncated = false;
  std::uint64_t cgroup_id = 0;
  std::uint64_t pid_namespace = 0;
};

struct Detection {
  std::string rule_id;
  std::string category;
  Severity severity = Severity::kUnspecified;
  double confidence = 0;
  std::string surface;       // "prompt", "reply", "tool_arguments", "tool_result", "system"
  std::uint64_t offset = 0;  // bytes in the scanned text of that surface
  std::uint64_t length = 0;
  std::string evidence;  // masked, never the secret itself
  std::string message;
};

struct Decision {
  Outcome outcome = Outcome::kUnspecified;
  std::string mode;  // "enforce", "monitor", "off"
  std::string rule_id;
  std::string reason;
  std::string policy_version;
  std::string case_id;
};

struct ProcessExec {};
struct ProcessExit {
  std::uint32_t exit_code = 0;
  std::uint32_t signal = 0;
};
struct SocketListen {
  std::string address;
  std::uint16_t port = 0;
  std::string protocol = "tcp";
};
struct SocketConnect {
  std::string source_address;
  std::uint16_t source_port = 0;
  std::string destination_address;
  std::uint16_t destination_port = 0;
  std::string protocol = "tcp";
  std::string outcome;  // "established", "failed", "pending"
};
struct LlmCall {
  std::string provider;
  std::string api;  // "openai.chat", "anthropic.messages"
  std::string host;
  std::string request_model;
  std::string response_model;
  bool stream = false;
  std::uint32_t status = 0;
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::vector<std::string> tools_offered;
  std::vector<std::string> tools_called;
  std::string prompt_sha256;
  std::string reply_sha256;
  std::string prompt_text;
  std::string reply_text;
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::uint64_t duration_us = 0;
  std::uint64_t first_byte_us = 0;
  std::string finish_reason;
  std::string response_id;
  bool partial = false;
};
struct SandboxStart {
  std::vector<std::string> command;
  std::string profile;
  std::uint64_t pid_namespace = 0;
  std::vector<std::string> mechanisms;
};
struct SandboxExit {
  std::uint32_t exit_code = 0;
  std::uint32_t signal = 0;
  std::uint64_t duration_us = 0;
  std::uint64_t denials = 0;
};
struct SandboxDenial {
  DenialKind kind = DenialKind::kUnspecified;
  std::string target;
  std::string protocol;
  std::uint64_t count = 1;
};
struct AgentReady {
  std::string name;
  std::string version;
  std::string framework;
};
struct AgentLog {
  std::string level;
  std::string message;
  std::map<std::string, std::string> fields;
};
struct AiUse {
  std::string evidence;
  std::string provider;
  std::string model;
  std::string host;
  double confidence = 0;
  bool sanctioned = false;
  std::string rule;
  std::string detail;
};
struct ComponentHealth {
  std::string component;
  std::string version;
  std::string state;
  std::vector<std::string> reasons;
  std::map<std::string, std::uint64_t> losses;
  std::map<std::string, std::uint64_t> counters;
  std::map<std::string, std::string> features;
};

struct Event {
  std::string id;
  WallTime time;
  std::string tenant;
  std::string host_id;
  std::string agent_id;
  std::string session_id;
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;
  Source source = Source::kUnspecified;
  std::optional<Process> process;
  std::variant<std::monostate, ProcessExec, ProcessExit, SocketListen, SocketConnect, LlmCall,
               SandboxStart, SandboxExit, SandboxDenial, AgentReady, AgentLog, AiUse,
               ComponentHealth>
      body;
  std::vector<Detection> detections;
  std::optional<Decision> decision;
};

}  // namespace aispm::model
