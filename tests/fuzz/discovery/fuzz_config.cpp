// SPDX-License-Identifier: Apache-2.0
// A user's configuration file of any content, in each format: servers are found within limits, and
// no address keeps its user, password or query. The first byte picks the format.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sensor/classify/container.hpp"
#include "sensor/classify/mcp_config.hpp"
#include "sensor/classify/program_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  static const Signatures kSignatures =
      Signatures::parse("schema: aispm.signatures/v1\n", "none").value();
  static const aispm::Secret kKey("key");
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  static constexpr const char* kNames[] = {"a.json", "a.toml", "a.yaml"};
  if (const auto config = parse_config_file(kNames[data[0] % 3], text)) {
    for (const McpServerEntry& server : find_mcp_servers(*config, "servers", kSignatures, kKey)) {
      if (server.argv.empty() && server.url.empty()) std::abort();
      if (server.url.find_first_of("?#") != std::string::npos) std::abort();
      (void)mcp_token(server.argv);
    }
  }
  (void)docker_image(text);
  (void)oci_image(text);
  (void)podman_image(text, std::string(64, 'a'));
  return 0;
}
