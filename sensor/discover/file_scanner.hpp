// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sensor/classify/facts.hpp"
#include "sensor/classify/signatures.hpp"
#include "sensor/discover/found.hpp"

namespace aispm::sensor {

// Looks for what AI programs leave in homes, in /etc and in projects: configurations, MCP servers,
// skills, rules, extensions, model files. Reads a file again only when it changed; reports one that
// went. Files belong to users: only regular ones of the home's owner or root are read. Not
// thread-safe.
class FileScanner {
 public:
  static constexpr std::size_t kMaxHomes = 256;
  static constexpr std::size_t kMaxFound = 8192;
  static constexpr std::size_t kMaxWalked = 20'000;  // entries of one folder tree
  static constexpr int kMaxDepth = 8;
  static constexpr std::uint64_t kMinModelBytes = 16;

  struct Home {
    std::string path;
    std::uint32_t uid = 0;
    std::string user;
  };
  using OnFound = std::function<void(Found)>;
  // A model file to be hashed.
  using OnModel = std::function<void(const std::string& open_path, ModelFile& model)>;

  // `host_key` hashes the secrets that stand in configuration files; may be empty.
  FileScanner(Signatures signatures, std::string passwd, Secret host_key, OnFound on_found,
              OnModel on_model);

  void replace(Signatures signatures);

  // A scan is a list of steps, so that its thread can rest between them: start() makes the list
  // from homes and `projects`, step() does one and is false when there is none left.
  void start(const std::set<std::string>& projects);
  bool step();
  std::uint64_t files() const { return known_.size(); }
  std::uint64_t refused() const { return refused_; }

 private:
  struct Step {
    Home home;
    std::string folder;    // what a pattern is relative to
    bool is_home = false;  // "~/..." patterns, else those of a project
    bool is_root = false;  // "/..." patterns
  };
  using State = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::uint64_t>;
  struct Known {
    State state;
    std::uint64_t round = 0;
  };

  void scan(const Step& step);
  void look(const Home& home, const std::string& path, const FileSignature& file);
  void look_deep(const Home& home, const std::string& pattern, const FileSignature& file);
  void look_for_extensions(const Home& home);
  void look_for_models(const Home& home, const std::string& folder);
  // Whether the file is new or changed; keeps it from being reported as gone.
  bool is_news(const std::string& key, const State& state);
  void report_gone();

  Signatures signatures_;
  std::string passwd_;
  Secret host_key_;
  OnFound on_found_;
  OnModel on_model_;
  std::vector<Step> steps_;
  std::map<std::string, Known> known_;
  std::uint64_t round_ = 0;
  std::uint64_t refused_ = 0;
};

// Homes of people and root in a passwd file: uid 0 and from 1000, without nobody.
std::vector<FileScanner::Home> find_homes(const std::string& passwd);

}  // namespace aispm::sensor
