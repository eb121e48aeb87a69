// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/proxy/decide/config_decide.hpp"
#include "gateway/proxy/dialect.hpp"
#include "gateway/proxy/limits/config_limits.hpp"
#include "gateway/proxy/observe/observe_config.hpp"
#include "gateway/proxy/pipeline/guard.hpp"
#include "gateway/proxy/pipeline/leak_screen.hpp"
#include "gateway/proxy/tenant_config.hpp"
#include "gateway/proxy/traffic/config_traffic.hpp"
#include "gateway/proxy/translate/translate_config.hpp"
#include "sdk/core/common/host_rule.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/policy/policy.hpp"

namespace aispm::gateway {

// A cloud that serves a dialect under paths and credentials of its own.
enum class Service : std::uint8_t {
  kNone,
  kAzure,    // OpenAI's dialect: `api-key`, deployments
  kBedrock,  // Anthropic's dialect: InvokeModel, signed requests
};

// An upstream. Its key is bound to its origin: nothing a client sends can make it go elsewhere.
struct ProviderConfig {
  std::string name;
  Dialect dialect = Dialect::kOpenAi;
  std::string origin;  // "https://api.openai.com"; checked by load_config
  // "/openai/v1": before every path, in place of its version where it ends with one; "" = none.
  std::string base_path;
  Service service = Service::kNone;
  std::string api_version;  // kAzure: of its dated form; "" = its "/openai/v1" form
  std::map<std::string, std::string>
      deployments;            // of a service: what it calls a model; others keep their name
  std::string region;         // kBedrock
  std::string access_key_id;  // kBedrock; `key` is the secret one
  Secret session_token;       // kBedrock; "" = lasting credentials
  std::string ca_file;        // "" = the system's store
  Secret key;                 // "" = requests carry no credentials
  std::string
      missing_key;  // why the key that should be there is not; such a provider answers nothing
  bool allow_private = false;
  std::vector<std::string>
      models;  // globs routed here whatever else matches; empty: default of its dialect
  TranslateConfig translate;
};

struct Limits {
  static constexpr std::size_t kMaxHeaderBytes = 64U << 10;
  std::size_t body_bytes = 16U << 20;         // also of what a compressed body becomes
  std::size_t body_ratio = 200;               // by how much a compressed one may grow
  std::size_t reply_bytes = 32U << 20;        // of a reply that is not streamed
  std::size_t connections = 10'000;           // over all workers
  std::chrono::milliseconds idle{75'000};     // a client's connection between requests
  std::chrono::milliseconds request{60'000};  // from a request's first byte to its last
  std::chrono::milliseconds upstream_connect{10'000};
  std::chrono::milliseconds upstream_reply{
      600'000};  // silence of an upstream: before the reply, or within it
  std::chrono::milliseconds client_write{60'000};  // a client that does not read
};

// What happens when exchanges cannot be recorded any more.
enum class Audit : std::uint8_t { kRequired, kBestEffort };

struct ReportConfig {
  std::string collector;
  std::string state_folder;
  Secret enrolment_token;
  std::uint64_t spool_cap_bytes = 256U << 20;
};

// Hosts besides the models' that sandboxed agents may reach through this gateway: the most that any
// launch may ask for. None unless they stand here.
struct EgressConfig {
  std::vector<HostRule> allow_hosts;
  std::size_t connections = 64;             // at once, of one run
  std::uint64_t bytes = 1ULL << 30;         // of one connection, both ways together
  std::chrono::milliseconds idle{300'000};  // without a byte in either direction
};

// The semantic tier, asked while the provider works.
struct OpinionConfig {
  std::string model;                        // file; "" = none
  std::chrono::milliseconds deadline{800};  // from the request's arrival
  std::size_t bytes = 8U << 10;             // of one request, newest texts first
  std::size_t workers = 1;                  // threads
};

// A guard model behind an OpenAI-compatible endpoint, asked likewise.
struct VoterConfig {
  static constexpr std::size_t kMax = 8;       // of one gateway
  static constexpr std::size_t kMaxName = 32;  // characters
  std::string name;  // tells several apart; "" = the only one, without a name of its own
  ProviderConfig endpoint;
  std::string model;  // of Presidio: the language of texts
  GuardForm form = GuardForm::kLlamaGuard;
  std::chrono::milliseconds deadline{800};
  std::size_t concurrency = 8;  // questions at once
  std::size_t bytes = 4U << 10;
  // Shorter texts are not worth a question: rules alone judge them.
  std::size_t min_bytes = 8;
  double block_score = 0;  // what it says with less certainty is told of as medium at most
  bool optional = false;   // without its answer the others' count; else policy's fail mode does
  // Judges replies as well, whole, before anything of them leaves.
  bool replies = false;
  std::chrono::milliseconds reply_deadline{2'000};
};

// How texts are judged (`detect:`).
struct DetectConfig {
  // Of one text; `total` is that of all texts of one message together.
  detect::InspectOptions inspect = [] {
    detect::InspectOptions options;
    options.total = std::chrono::milliseconds(250);
    return options;
  }();
  OpinionConfig opinions;
  std::vector<VoterConfig> voters;
  LeakConfig leaks;
};

// The operator's own door (`admin:`).
struct AdminConfig {
  std::string socket;        // for this user and root only
  std::string rules_folder;  // keeps the rules that tenants got by it
  AdminPortConfig port;      // the same on TCP
};

struct WebConfig;

// An MCP server behind this gateway's endpoint. As with providers, its key is bound to its origin.
struct McpServerConfig {
  ProviderConfig endpoint;    // `name` prefixes its tools
  std::string path = "/mcp";  // of its streamable HTTP endpoint
  std::string key_header;     // carries `key`; "" = the endpoint's is a bearer
  Secret key;
  std::vector<std::string> agents;     // globs: who may use it
  std::vector<std::string> tools;      // globs: what of it; empty: nothing
  std::vector<std::string> prompts;    // likewise
  std::vector<std::string> resources;  // likewise, of their URIs
  std::vector<std::string> grants;  // "sampling", "elicitation", "roots": may be asked of clients
  std::chrono::milliseconds call{60'000};      // whole, also of a list
  std::chrono::milliseconds list_age{10'000};  // until it is asked again what its tools are
};

// Who else may say which agent a client of the MCP endpoint is: authorization servers, by tokens
// that they sign (JWT) for this endpoint alone.
struct McpAuthorization {
  std::string resource;              // this endpoint's own URL, the tokens' audience
  std::vector<std::string> servers;  // their issuers, as clients are told
  std::vector<std::string> scopes;   // that clients are told to ask for
  std::vector<std::string> keys;     // PEM, by which tokens are signed
  std::string agent = "sub";         // the claim that names the agent
};

// The MCP endpoint (`mcp:`).
struct McpConfig {
  static constexpr std::size_t kMaxServers = 64;
  std::vector<McpServerConfig> servers;  // none: there is no endpoint
  std::vector<std::string> origins;      // of browsers' pages that may use it, besides this host's
  std::size_t sessions = 4096;
  std::size_t agent_sessions = 64;
  std::chrono::milliseconds session_idle{3'600'000};
  std::size_t subscriptions = 256;  // to resources, of one session
  std::optional<McpAuthorization> authorization;
  // Calls that no model asked for: kOff: nobody looks; kMonitor: told of; kEnforce: denied.
  policy::Mode asked_by_model = policy::Mode::kMonitor;
  std::shared_ptr<const WebConfig> web;             // the gateway's own tools; null: it has none
  std::chrono::milliseconds asked_within{900'000};  // from a model's reply to the call
};

// What this gateway demands of policies, whatever the collector says (policy::PolicyRules).
struct PolicyDemands {
  std::vector<std::string> trusted_keys;  // PEM
  bool must_be_signed = false;
  std::vector<std::string> required;
};

struct Config {
  std::string source;                     // the file it was read from; "" = none
  std::string listen = "127.0.0.1:8088";  // "" = no TCP
  std::string socket;                     // "" = no Unix socket
  unsigned workers = 1;
  std::string policy_file;
  std::string pack_folder;
  std::string cache_folder;  // of compiled packs; "" = none
  // How long a start keeps its doors shut while packs compile; after that requests get 503.
  std::chrono::milliseconds wait_for_rules{10'000};
  std::string keys_file;  // "" = none
  Audit audit = Audit::kRequired;
  std::optional<ReportConfig> report;
  std::vector<ProviderConfig> providers;
  Limits limits;
  // Requests may refer to what the provider keeps, and those of OpenAI's Responses have it keep
  // what is said (`responses: {history: allow}`): text that was not judged here just now.
  bool provider_history = false;
  // Requests may name MCP servers that the provider asks (`responses: {remote_mcp: allow}`).
  bool remote_mcp = false;
  EgressConfig egress;
  DetectConfig detect;
  McpConfig mcp;
  Tenants tenants;
  std::optional<AdminConfig> admin;
  DecideConfig decide;
  UseConfig use;
  ObserveConfig observe;
  PolicyDemands policies;
  TrafficConfig traffic;
  std::chrono::milliseconds reload_every{0};  // rules, policy and keys; 0: with SIGHUP only
  std::size_t sticky_entries = 4096;          // over all agents
  std::chrono::milliseconds sticky_ttl{600'000};
};

// "https://host[:port][/base]" into its two parts. kInvalid says what is wrong.
Result<> split_origin(const std::string& text, std::string& origin, std::string& base_path);

// Reads and checks a configuration file. Errors read `file:line: what is wrong, what is allowed`.
// Keys are read from the files and environment variables that it names.
Result<Config> load_config(const std::string& path);
Result<Config> parse_config(const std::string& content, const std::string& name);

}  // namespace aispm::gateway
