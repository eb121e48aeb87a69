// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

// Files that CMake put into the program (cmake/Embed.cmake). Thread-safe, alive for the whole run.
namespace aispm::collector {

struct EmbeddedFile {
  std::string_view name;  // path under the embedded folder, e.g. "assets/index-1a2b.js"
  std::string_view content;
};

// store/migrations/*.sql in order of their number.
const std::vector<EmbeddedFile>& embedded_migrations();
// One file: the descriptor set of the API with its comments.
const std::vector<EmbeddedFile>& embedded_descriptors();
// gateway/dashboard/dist; empty when the dashboard was not built before this program.
const std::vector<EmbeddedFile>& embedded_dashboard();

// policies/starter/*.yaml and policies/rego/*.rego.
const std::vector<EmbeddedFile>& embedded_seeds();

}  // namespace aispm::collector
