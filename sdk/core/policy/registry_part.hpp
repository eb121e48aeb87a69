// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/agent_registry.hpp"
#include "sdk/core/policy/tool_registry.hpp"

// registry.yaml: what people decided in the collector about agents and tools.
namespace aispm::policy {

// The policy by which the collector distributes it. No operator can push one of this name.
inline constexpr const char* kRegistryPolicy = "aispm.registry";
inline constexpr const char* kRegistryFile = "registry.yaml";

// Immutable; any thread.
class RegistryPart {
 public:
  static constexpr std::size_t kMaxBytes = 1U << 20;

  // Errors read `file:line: what is wrong`.
  static Result<std::shared_ptr<const RegistryPart>> parse(const std::string& content,
                                                           const std::string& name);

  const std::vector<Tool>& tools() const { return tools_; }
  const std::vector<RegisteredAgent>& agents() const { return agents_; }
  const std::string& digest() const { return digest_; }  // SHA-256 (hex) of the text

 private:
  RegistryPart() = default;

  std::vector<Tool> tools_;
  std::vector<RegisteredAgent> agents_;
  std::string digest_;
};

}  // namespace aispm::policy
