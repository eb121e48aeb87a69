// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
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
};

// What AI looks like from outside: hosts, ports, programs. Data, read from YAML (schema
// aispm.signatures/v1); immutable afterwards and safe to share between threads.
class Signatures {
 public:
  static constexpr std::string_view kSchema = "aispm.signatures/v1";

  // The ones this version was built with.
  static Result<Signatures> builtin();
  // All *.yaml of a folder. kInvalid with `file:line: what is wrong, what is allowed`.
  static Result<Signatures> load(const std::string& folder);
  // One file's content; `name` stands for it in messages.
  static Result<Signatures> parse(const std::string& content, const std::string& name);

  // By host name, with or without port; nullptr when unknown. Exact names win over suffixes, longer
  // suffixes over shorter ones, and both over globs.
  const Signature* find_host(std::string_view host) const;
  const Signature* find_port(std::uint16_t port) const;
  // By base name of the executable, of the script that an interpreter runs, or by task name.
  const Signature* find_process(const model::Process& process) const;

  std::size_t size() const { return signatures_.size(); }

 private:
  friend class SignatureReader;
  struct Glob {
    std::string pattern;
    std::size_t signature;
  };

  const Signature* at(std::size_t index) const { return &signatures_[index]; }

  std::vector<Signature> signatures_;
  std::set<std::string> ids_;
  std::unordered_map<std::string, std::size_t> exact_hosts_;
  std::unordered_map<std::string, std::size_t> host_suffixes_;
  std::vector<Glob> host_globs_;
  std::map<std::uint16_t, std::size_t> ports_;
  std::unordered_map<std::string, std::size_t> processes_;
};

// "Host:8443" -> "host", "[::1]:443" -> "::1"; a final dot is dropped.
std::string normal_host(std::string_view host);

}  // namespace aispm::sensor
