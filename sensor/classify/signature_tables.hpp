// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hs.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sensor/classify/signatures.hpp"

// How Signatures keeps what it read. Private to the files that fill and ask it.
namespace aispm::sensor {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
// Patterns of one kind, each of one signature. Lookups by string_view allocate nothing.
using PatternTable = std::unordered_map<std::string, const Signature*, StringHash, std::equal_to<>>;

struct PatternList {
  std::string pattern;
  const Signature* signature = nullptr;
};

// The command lines' patterns of one file.
struct CommandPatterns {
  std::shared_ptr<hs_database_t> database;
  std::vector<const Signature*> signatures;  // by Hyperscan id
};

struct SignatureTables {
  std::deque<Signature> signatures;  // addresses stay
  std::unordered_map<std::string, const Signature*, StringHash, std::equal_to<>> ids;  // live ones
  PatternTable exact_hosts;
  PatternTable host_suffixes;
  std::vector<PatternList> host_globs;
  std::map<std::uint16_t, std::vector<PortSignature>> ports;
  PatternTable processes;
  std::vector<CommandPatterns> commands;
  std::map<std::string, PatternTable, std::less<>> packages;  // by ecosystem
  PatternTable variables;
  std::vector<FileSignature> files;
  std::vector<ModelSignature> models;
  std::vector<PatternList> user_agents;
  PatternTable headers;
  std::vector<PathSignature> paths;
  std::vector<HttpFingerprint> fingerprints;
  std::vector<PatternList> images;  // prefixes
  PatternTable apps;
  std::map<std::string, PatternTable, std::less<>> extensions;  // by ecosystem
  PatternTable libraries;
  std::vector<PatternList> devices;  // globs
  std::map<std::string, ProviderRisk, std::less<>> risks;

  bool is_live(const Signature* signature) const {
    const auto found = ids.find(signature->id);
    return found != ids.end() && found->second == signature;
  }
};

// `*` is one part of a label: at least one byte, never a dot.
bool matches_host_glob(std::string_view pattern, std::string_view text);
// "/v1/{model}/invoke": {x} is one segment, or the part of one up to the next literal.
bool matches_path(std::string_view pattern, std::string_view path);

}  // namespace aispm::sensor
