// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/seeds.hpp"

#include <map>
#include <string>
#include <vector>

#include "gateway/collector/embedded.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::collector {
namespace {

constexpr const char* kWho = "shipped with aispm-collector";

struct Seed {
  std::string description;
  std::vector<policy::FolderFile> files;
};

// One bundle of the native rules, and one of each Rego module, so that each goes its own way.
std::map<std::string, Seed> shipped() {
  std::map<std::string, Seed> seeds;
  for (const EmbeddedFile& file : embedded_seeds()) {
    const std::string name(file.name);
    const std::string base = name.substr(name.rfind('/') + 1);
    const bool is_rego = name.starts_with("rego/");
    const std::string id = is_rego ? "rego-" + base.substr(0, base.find('.')) : "starter";
    Seed& seed = seeds[id];
    seed.description = is_rego ? "Rego module " + base + ": see its head"
                               : "Rules over actions and shell commands to begin with";
    seed.files.push_back({is_rego ? name : base, std::string(file.content)});
  }
  return seeds;
}

}  // namespace

Result<> seed_policies(store::Database& database, WallTime now) {
  store::PolicyShelf shelf(database);
  AISPM_TRY(const bool is_empty, shelf.is_empty());
  if (!is_empty) return {};
  for (const auto& [id, seed] : shipped()) {
    AISPM_TRY(const auto bundle, policy::Bundle::compile(seed.files));
    store::pb::PushPolicyRequest request;
    request.set_policy_id(id);
    request.set_description(seed.description);
    request.set_comment("as shipped");
    for (const policy::FolderFile& file : seed.files) {
      auto* const one = request.add_files();
      one->set_path(file.path);
      one->set_content(file.content);
    }
    AISPM_TRY(const auto pushed, shelf.push(request, {bundle->version(), "", bundle->expires()},
                                            kWho, now, store::PolicyShelf::By::kShipped));
    log::info("policy.seeded", {{"policy", pushed.id()}});
  }
  return {};
}

}  // namespace aispm::collector
