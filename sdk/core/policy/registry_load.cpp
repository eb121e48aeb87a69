// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/registry_load.hpp"

namespace aispm::policy {

Result<std::shared_ptr<const RegistryPart>> registry_of(const std::vector<FolderFile>& files,
                                                        const BundleOptions& options) {
  AISPM_TRY(const auto bundle, Bundle::compile(files, options));
  if (!bundle->registry()) return fail(Errc::kNotFound, std::string("has no ") + kRegistryFile);
  return bundle->registry();
}

Result<std::shared_ptr<const RegistryPart>> load_registry(const std::string& folder,
                                                          const BundleOptions& options) {
  if (folder.empty()) return std::shared_ptr<const RegistryPart>();
  AISPM_TRY(const std::vector<FolderFile> files, read_safe_folder(folder));
  auto registry = registry_of(files, options);
  if (!registry) return fail(registry.error().code, folder + ": " + registry.error().message);
  return registry;
}

Result<std::shared_ptr<const Bundle>> load_with_registry(const std::string& folder,
                                                         const std::string& registry,
                                                         BundleOptions options) {
  auto loaded = load_registry(registry, options);
  // Else nobody could tell which of the two folders it is about.
  if (!loaded) return fail(loaded.error().code, "registry: " + loaded.error().message);
  options.registry = std::move(*loaded);
  return Bundle::load(folder, options);
}

}  // namespace aispm::policy
