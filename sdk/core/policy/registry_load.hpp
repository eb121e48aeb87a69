// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sdk/core/policy/bundle.hpp"

namespace aispm::policy {

// The collector's registry out of the files of its policy (`aispm policy show aispm.registry --out
// FOLDER`). Signed as `options` demands; errors name file and line. kNotFound: there is no
// registry.yaml.
Result<std::shared_ptr<const RegistryPart>> registry_of(const std::vector<FolderFile>& files,
                                                        const BundleOptions& options = {});
// The same from a folder; "": there is none, and nothing is wrong with that.
Result<std::shared_ptr<const RegistryPart>> load_registry(const std::string& folder,
                                                          const BundleOptions& options = {});

// A bundle as a gateway has it in force: with the registry of that folder beside its own files.
Result<std::shared_ptr<const Bundle>> load_with_registry(const std::string& folder,
                                                         const std::string& registry,
                                                         BundleOptions options = {});

}  // namespace aispm::policy
