// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sensor/classify/signature_tables.hpp"

namespace aispm::sensor {

// Reads files into one SignatureTables; the first error of a file stops it. Files come in layers:
// within a layer an id or pattern may stand once, a higher layer's replaces a lower one's.
class SignatureReader {
 public:
  SignatureReader() : tables_(std::make_shared<SignatureTables>()) {}

  // What is read from now on overrides what was read before.
  void start_layer() { ++layer_; }
  Result<> read(const YamlMap& root);
  // Drops what was overridden and hands over the rest.
  Signatures take();

 private:
  const Signature* read_common(const YamlMap& entry, const std::string& default_category = "");
  std::vector<std::string> read_patterns(const YamlMap& entry, const std::string& key);
  // Fills `table`; an equal pattern of the same layer is an error at `key`.
  void add(const YamlMap& entry, const std::string& key, PatternTable& table,
           const std::string& pattern, const Signature* signature);
  // The same check for patterns kept in a list; `space` tells kinds apart.
  void check_new(const YamlMap& entry, const std::string& key, const std::string& space,
                 const std::string& pattern);
  int layer_of(const Signature* signature) const { return layers_.at(signature); }

  void read_host(const YamlMap& entry);
  void read_port(const YamlMap& entry);
  void read_process(const YamlMap& entry);
  void read_commands(const YamlMap& root, const std::vector<YamlMap>& entries);
  void read_package(const YamlMap& entry);
  void read_file(const YamlMap& entry);
  void read_model(const YamlMap& entry);
  void read_path(const YamlMap& entry);
  void read_fingerprint(const YamlMap& entry);
  void read_extension(const YamlMap& entry);
  void read_risk(const YamlMap& entry);
  // Kinds that are no more than a list of exact patterns, or of patterns to search in order.
  void read_table(const YamlMap& entry, const std::string& key, PatternTable& table, bool is_lower);
  void read_list(const YamlMap& entry, const std::string& key, std::vector<PatternList>& list);
  void check_case(const YamlMap& entry);
  std::pair<std::string, const Signature*> find_case(const YamlMap& entry);

  std::shared_ptr<SignatureTables> tables_;
  int layer_ = 0;
  std::unordered_map<const Signature*, int> layers_;
  std::set<std::string> seen_;  // of check_new, in this layer
};

}  // namespace aispm::sensor
