// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::sensor {

inline constexpr std::size_t kMaxSignatures = 10'000;
inline constexpr std::size_t kMaxSignatureFiles = 256;
// Host names, globs and program names in one signature.
inline constexpr std::size_t kMaxSignaturePatterns = 1000;

struct Signature {
  std::string id;        // "host.openai.llm_api": AiUse.rule
  std::string provider;  // OTel GenAI name where there is one
  std::string name;      // for people
  std::string category;  // "llm_api", "coding_agent", ...
  double confidence = 0;
  bool weak = false;  // says nothing alone: a second kind of evidence is needed
};

// A file or folder that a program leaves or reads.
struct FileSignature {
  std::string path;  // "~/x": a home, "$X/y": a variable, "x": below a project, "**": any depth
  std::string what;  // "config", "mcp", "skills", "rules", "plugins"
  std::string key;   // MCP: the member that holds the servers, when it is not the usual one
  const Signature* signature = nullptr;
};

// A format of model files.
struct ModelSignature {
  std::vector<std::string> extensions;  // ".gguf", or a whole name, or one that ends in *
  std::size_t offset = 0;               // of the magic bytes
  std::string magic;                    // bytes; empty: known by its name only
  std::string by;                       // "magic", "heuristic", "structure"
  std::string load_risk;  // of running code when it is loaded: "low", "medium", "high"
  const Signature* signature = nullptr;
};

// What a server answers to a request, and that it means.
struct HttpFingerprint {
  std::string method;
  std::string path;
  std::vector<std::string> any_of;  // `body="..." && header="..."`
  const Signature* signature = nullptr;
};

struct PathSignature {
  std::string method;
  std::string path;  // {x} is one segment
  const Signature* signature = nullptr;
};

struct PortSignature {
  const Signature* signature = nullptr;
  std::string probe;  // path that such a server answers; may be empty
};

// How much data at a provider worries: 0..1 each. SEN-011.
struct ProviderRisk {
  double provider = 0.6;
  double compliance = 0.6;
};

struct SignatureTables;
class CommandMatcher;

// What AI looks like from outside: hosts, ports, programs, command lines, packages, variables,
// files, model formats, HTTP, images, libraries, devices. Data, read from YAML (schema
// aispm.signatures/v1); immutable afterwards, cheap to copy, and safe to share between threads.
// Pointers it gives live as long as any copy of it.
class Signatures {
 public:
  static constexpr std::string_view kSchema = "aispm.signatures/v1";

  // The ones this version was built with.
  static Result<Signatures> builtin();
  // The built-in ones and all *.yaml of a folder, which adds to and overrides them: an equal id
  // replaces, an equal pattern is the folder's, and ids under `disabled` go. kInvalid with
  // `file:line: what is wrong, what is allowed`.
  static Result<Signatures> load(const std::string& folder);
  // One file's content and nothing else; `name` stands for it in messages.
  static Result<Signatures> parse(const std::string& content, const std::string& name);

  // By host name, with or without port; nullptr when unknown. Exact names win over suffixes, longer
  // suffixes over shorter ones, and both over globs.
  const Signature* find_host(std::string_view host) const;
  // The one product that has this port to itself.
  const Signature* find_port(std::uint16_t port) const;
  // All that use it, weak ones too.
  const std::vector<PortSignature>& find_ports(std::uint16_t port) const;
  // By base name of the executable, of the script that an interpreter runs, or by task name.
  const Signature* find_process(const model::Process& process) const;
  // Exact names; PyPI's are compared in their normal form (PEP 503).
  const Signature* find_package(std::string_view ecosystem, std::string_view name) const;
  const Signature* find_variable(std::string_view name) const;
  const Signature* find_file(std::string_view pattern) const;
  const Signature* find_user_agent(std::string_view text) const;
  const Signature* find_header(std::string_view name) const;  // any case
  const Signature* find_path(std::string_view method, std::string_view path) const;
  // "docker.io/vllm/vllm-openai:v1" as "vllm/vllm-openai".
  const Signature* find_image(std::string_view image) const;
  const Signature* find_app(std::string_view path) const;  // a bundle among its folders
  const Signature* find_extension(std::string_view ecosystem, std::string_view id) const;
  // By file name of a shared library: "libtorch.so.2" as "libtorch".
  const Signature* find_library(std::string_view file_name) const;
  const Signature* find_device(std::string_view path) const;

  const std::vector<FileSignature>& files() const;
  const std::vector<ModelSignature>& models() const;
  const std::vector<HttpFingerprint>& fingerprints() const;
  ProviderRisk risk_of(std::string_view provider) const;

  // Matches command lines; one for each thread.
  Result<CommandMatcher> make_command_matcher() const;

  // Every host name, "*.suffix" and glob of a provider.
  std::vector<std::string> hosts_of(std::string_view provider) const;

  std::size_t size() const;

 private:
  friend class SignatureReader;
  friend class CommandMatcher;
  explicit Signatures(std::shared_ptr<const SignatureTables> tables) : tables_(std::move(tables)) {}

  std::shared_ptr<const SignatureTables> tables_;
};

// Looks for patterns in command lines: one Hyperscan pass for all. Not thread-safe.
class CommandMatcher {
 public:
  CommandMatcher(CommandMatcher&&) noexcept;
  CommandMatcher& operator=(CommandMatcher&&) noexcept;
  ~CommandMatcher();

  // Signatures found in the arguments, each followed by a space (at most kMaxCommandBytes of them),
  // in order of id; valid until the next call.
  static constexpr std::size_t kMaxCommandBytes = 8192;
  const std::vector<const Signature*>& match(const std::vector<std::string>& argv);
  const std::vector<const Signature*>& match(std::string_view command);
  // Scans that Hyperscan refused (a broken invariant): their command lines were not looked at.
  std::uint64_t failures() const;

 private:
  friend class Signatures;
  friend class SignatureReader;
  struct State;
  explicit CommandMatcher(std::unique_ptr<State> state);
  const std::vector<const Signature*>& scan();
  std::unique_ptr<State> state_;
};

// "Host:8443" -> "host", "[::1]:443" -> "::1"; a final dot is dropped.
std::string normal_host(std::string_view host);
// PEP 503: "Lang_Chain.Core" -> "lang-chain-core".
std::string normal_pypi_name(std::string_view name);
// "docker.io/library/x:1@sha256:..." -> "x"
std::string normal_image(std::string_view image);

}  // namespace aispm::sensor
