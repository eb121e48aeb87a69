// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/glob.hpp"

// Which tools there are, where they come from, and what they must look like: `tools:` of
// tools.yaml.
namespace aispm::policy {

// SHA-256 (hex) of what a tool's server says of it; an empty one asks nothing. Descriptions and
// schemas as codec::ToolDefinition hashes them, endpoints by endpoint_sha256().
struct ToolPin {
  std::string description;
  std::string schema;
  std::string endpoint;
};

// What was seen of a tool; empty where nothing was. Views must outlive the decision only.
struct ToolSight {
  std::string_view version = {};
  std::string_view description = {};  // hashes, as in ToolPin
  std::string_view schema = {};
  std::string_view endpoint = {};
  std::string_view source = {};  // hash of the tool's source or binary
};

struct Tool {
  Glob name;
  Glob provider;  // MCP server
  std::string version;
  std::string publisher;
  std::string source;
  std::string sha256;     // of source or binary
  std::string signed_by;  // key id; empty: no publisher's key signed this
  bool is_verified = false;
  std::vector<std::string> permissions;
  std::string risk;
  std::vector<ToolPin> pins;  // any of them fits; none: see ToolGate
  bool is_blocked = false;
  std::string blocked_reason;
  double posture_below = 2;  // above any risk: no limit
  std::string scope;
  std::string channel;
  std::vector<std::string> destination_fields;
};

// SHA-256 (hex) over a server's address, or over its command and arguments: the words parted by NUL
// bytes.
std::string endpoint_sha256(const std::vector<std::string>& words);

// What a publisher signs (Ed25519): name, version and hash of one tool.
std::string provenance_form(std::string_view name, std::string_view version,
                            std::string_view sha256);

// Immutable; any thread.
class ToolRegistry {
 public:
  static constexpr std::size_t kMaxTools = 2000;
  static constexpr std::size_t kMaxPins = 64;  // of one tool

  // Reads `publishers` and `tools`; with `with_builtin` the tools of builtin() stand behind them.
  // Errors go to the map.
  static ToolRegistry read(const YamlMap& root, bool with_builtin);
  // Reads `pins` of pins.yaml. What is approved or blocked there is thereby registered; without a
  // provider it is meant for the tools of that name of all providers.
  void read_pins(const YamlMap& root);

  // `tools` of the collector's registry: names stand for themselves. Errors go to the map.
  static std::vector<Tool> read_registered(const YamlMap& root);
  // What the collector's registry says beside these files. A tool is blocked by either, any pin of
  // either fits, and what the files say of it stands where they say something.
  void add_registered(const std::vector<Tool>& registered);

  // One review of pins.yaml.
  struct Review {
    std::string tool;
    std::string provider;
    bool is_blocked = false;
    std::string reason;
    std::optional<ToolPin> pin;
  };

  // Names before globs, and of a name's entries those that name the provider; else the first that
  // fits. Null: not registered. Does not allocate.
  const Tool* find(std::string_view name, std::string_view provider) const;
  const std::vector<Tool>& tools() const { return tools_; }

  // Tools that agents commonly have, with the scope and the risk below which they may be called.
  static std::vector<Tool> builtin();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // The entries of just that name and provider (empty: of any), made where there are none.
  std::vector<Tool*> entries_for(const std::string& name, const std::string& provider);
  void apply(const Review& review);
  void index();

  std::vector<Tool> tools_;
  std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>> by_name_;
  std::vector<std::uint32_t> globs_;
};

}  // namespace aispm::policy
