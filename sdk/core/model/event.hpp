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
  kRequireHuman,
  kApproved,
  kRejected,
  kTimeout,
  kKillSwitch,
  kRateLimited
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
  std::string container_id;
  std::string container_image;
};

struct Detection {
  std::string rule_id;
  std::string category;
  Severity severity = Severity::kUnspecified;
  double confidence = 0;
  std::string surface;       // detect::Surface in a word, or "argv", "environment", "behaviour"
  std::uint64_t offset = 0;  // bytes in the scanned text of that surface
  std::uint64_t length = 0;
  std::string evidence;  // masked, never the secret itself
  std::string message;
  std::vector<std::string> tags;      // of frameworks: "owasp-llm:LLM01"
  std::vector<std::string> features;  // what else spoke for it: "hidden: base64"
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
  std::string outcome;      // "established", "failed", "pending"
  std::string name;         // what the destination was called before; empty when unknown
  std::string name_source;  // "dns", "sni", "quic", "http_host"
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
  std::string route;  // "gateway", "local", "direct"; empty when unknown
  std::string destination_address;
  std::uint16_t destination_port = 0;
  std::string attribution;  // "socket", "thread_sequence", "sni", "none"
  double attribution_confidence = 0;
  bool tokens_estimated = false;  // both counts, or what of them the provider did not say
  std::optional<std::uint64_t> cost_nano_usd;  // nothing: no price is known
  // The gateway's: what became of it on its way.
  std::string upstream;                      // name of the provider that answered, as configured
  std::string route_name;                    // of its configuration, "" = none fitted
  std::string arm;                           // candidate of the route that answered
  std::vector<std::string> failed_attempts;  // before it: "backup: answered 503"
  bool fallback = false;                     // answered by another than the first choice
  std::string shadow_of;                     // id of the call that this one was made beside
  bool cached = false;                       // nobody was asked
};
struct SandboxStart {
  std::vector<std::string> command;
  std::string profile;
  std::uint64_t pid_namespace = 0;
  std::vector<std::string> mechanisms;
  std::vector<std::string> boundary;  // sorted lines, equal for equal runs
  std::string workspace;
  std::string start_kind;   // "warm" (from the pool) or "cold"
  std::string cold_reason;  // why the pool was asked for and not used
};
struct SandboxExit {
  std::uint32_t exit_code = 0;
  std::uint32_t signal = 0;
  std::uint64_t duration_us = 0;
  std::uint64_t denials = 0;
  std::vector<std::string> limits;  // reached: "memory", "wall_time", ...
  bool ended_by_limit = false;
  std::uint64_t output_bytes = 0;
  std::uint64_t log_lines = 0;
  std::uint64_t lost_log_lines = 0;
};
struct SandboxDenial {
  DenialKind kind = DenialKind::kUnspecified;
  std::string target;
  std::string protocol;
  std::uint64_t count = 1;
  std::string name;    // host name behind the target's address; empty when unknown
  std::string reason;  // in words; empty where the kind says it all
  std::string error;
  WallTime first_time;  // zero: unknown
  WallTime last_time;
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
  std::string stream = "";  // "stdout", "stderr"; empty: through the SDK
  std::uint64_t lost_lines = 0;
  std::uint64_t cut_bytes = 0;
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
  std::string route;  // as LlmCall.route; empty when unknown
};
struct McpCall {
  std::string protocol;   // "mcp", "a2a"
  std::string transport;  // "stdio", "http", "sse"
  std::string protocol_version;
  std::string method;
  std::string tool;
  std::string server_name;
  std::string server_version;
  std::string server_host;
  std::optional<Process> server_process;
  std::string request_id;
  bool is_error = false;
  std::string arguments_sha256;
  std::string result_sha256;
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::uint64_t duration_us = 0;
  bool partial = false;
};
struct McpTool {
  std::string name;
  std::string description_sha256;
  std::string schema_sha256;
  std::vector<std::string> findings = {};
  bool operator==(const McpTool&) const = default;
};
struct McpTools {
  std::string transport;
  std::string server_name;
  std::string server_version;
  std::string server_host;
  std::optional<Process> server_process;
  std::vector<McpTool> tools;
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
};
struct Evidence {
  std::string type;
  std::string value;
  std::string rule;
  double weight = 0;
  bool operator==(const Evidence&) const = default;
};
struct Asset {
  std::string asset_id;
  std::string kind;
  std::string name;
  std::string provider;
  std::string version;
  double confidence = 0;
  std::vector<Evidence> evidence;
  std::string explanation;
  std::map<std::string, std::string> attributes;
  bool gone = false;
  std::string resync_id;
  std::uint32_t resync_size = 0;
};
struct SocketClose {
  std::string source_address;
  std::uint16_t source_port = 0;
  std::string destination_address;
  std::uint16_t destination_port = 0;
  std::string protocol = "tcp";
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t duration_us = 0;
  std::string name;
  std::string name_source;
  bool is_open = false;  // an interim report
};
struct NameSeen {
  std::string name;
  std::string source;  // "dns", "sni", "quic", "http_host"
  std::vector<std::string> addresses;
  std::string protocol;
  std::string provider;
  bool encrypted_hello = false;
  bool doh = false;
};
struct CoverageGap {
  std::string library;
  std::string reason;
  std::uint64_t connections = 0;
  std::uint64_t wire_bytes = 0;
  bool operator==(const CoverageGap&) const = default;
};
struct TlsCoverage {
  std::uint64_t connections = 0;
  std::uint64_t wire_bytes = 0;
  std::uint64_t plaintext_bytes = 0;
  std::vector<CoverageGap> gaps;
};
struct FileAccess {
  std::string path;
  std::string operation;   // "read", "write", "create", "delete", "mmap"
  std::string file_class;  // "sensitive", "model", "agent_config", "kernel_settings", ...
  std::string sha256;
  std::uint64_t size_bytes = 0;
  std::string outcome;  // "allowed", "denied"
};
struct Tamper {
  std::string kind;
  std::string target;
  std::string detail;
};
struct Enforcement {
  std::string order_id;
  std::string action;
  std::string target;
  std::string mode;  // "enforce", "monitor"
  std::uint64_t count = 1;
  std::uint64_t latency_us = 0;
};
struct ActionCall {
  std::string surface;
  std::string tool;
  std::string tool_provider;
  std::string destination;
  std::string digest;
  std::string arguments_text;
  std::vector<std::string> data_labels;
  std::vector<std::string> inputs;
  std::string policy_id;
  std::string approval_id;
  double risk = 0;
  std::string agent_type;
  std::vector<std::string> roles;
  std::string trust;
  std::string environment;
  std::string call_event_id;
  std::string model;
  std::string provider;
  std::string description_sha256;
  std::string schema_sha256;
};
struct OperatorAction {
  std::string who;
  std::string action;
  std::string target;
  std::string reason;
  std::string before;
  std::string after;
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
               ComponentHealth, McpCall, McpTools, Asset, SocketClose, NameSeen, TlsCoverage,
               FileAccess, Tamper, Enforcement, ActionCall, OperatorAction>
      body;
  std::vector<Detection> detections;
  std::optional<Decision> decision;
};

}  // namespace aispm::model
