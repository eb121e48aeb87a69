// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/registry_part.hpp"

#include "sdk/core/common/crypto.hpp"

namespace aispm::policy {

Result<std::shared_ptr<const RegistryPart>> RegistryPart::parse(const std::string& content,
                                                                const std::string& name) {
  if (content.size() > kMaxBytes)
    return fail(Errc::kTooLarge, name + ": longer than " + std::to_string(kMaxBytes) + " bytes");
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  std::shared_ptr<RegistryPart> part(new RegistryPart);
  part->tools_ = ToolRegistry::read_registered(root);
  part->agents_ = AgentRegistry::read_registered(root, "agents");
  AISPM_CHECK(root.finish());
  part->digest_ = sha256_hex(content);
  return std::shared_ptr<const RegistryPart>(std::move(part));
}

}  // namespace aispm::policy
