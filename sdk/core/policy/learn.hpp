// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "aispm/v1/simulate.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/recorded_action.hpp"

// Proposes the narrowest actions.yaml and commands.yaml under which an agent could do what it did:
// its tools, where they come from, where data went, and their arguments. Never broader than what
// was seen unless that was seen kStable times: then numbers may lie between the smallest and the
// largest, and texts that are ever new may be any. Everything else is denied. What was denied, or
// what a detection was about, is not learned.
namespace aispm::policy {

class Learner {
 public:
  static constexpr std::uint64_t kStable = 5;
  static constexpr std::size_t kMaxValues = 20;  // listed of one argument
  static constexpr std::size_t kMaxValueBytes = 256;
  static constexpr std::size_t kMaxGroups = 300;  // ways of using tools
  static constexpr std::size_t kMaxPaths = 64;    // arguments of one
  static constexpr std::size_t kMaxPlaces = 200;  // destinations of one
  static constexpr std::size_t kMaxCommands = 500;

  explicit Learner(std::string agent) : agent_(std::move(agent)) {}

  // In any order; events of others are passed over.
  void add(const v1::Event& event);
  // kNotFound: nothing was allowed that could be learned. kInternal: what was made does not
  // compile.
  Result<v1::PolicyProposal> propose() const;

 private:
  using Causes = std::map<std::string, std::uint64_t>;
  // Tool, its provider, environment, whether it was asked for, whether data went anywhere, and the
  // paths of its arguments.
  using Key = std::tuple<std::string, std::string, std::string, bool, bool, std::string>;
  struct Argument {
    std::set<std::string> texts;  // kMaxValues + 1 at most
    bool is_long = false;         // one was longer than kMaxValueBytes
    bool is_number = true;
    double low = 0;
    double high = 0;
  };
  struct Group {
    std::uint64_t count = 0;
    bool is_whole = true;  // all arguments of all calls are known
    std::set<std::string> destinations;
    std::map<std::string, Argument> arguments;
  };
  void add_action(const v1::Event& event, bool was_asked);
  bool learn_command(const RecordedAction& recorded, bool was_asked);
  void leave_out(const std::string& why) { ++left_out_[why]; }
  // Empty: nothing was learned.
  std::string actions_yaml(std::uint64_t& learned, Causes& left_out) const;
  std::string rules_of(const Key& key, const Group& group, std::size_t number) const;
  std::string commands_yaml() const;

  std::string agent_;
  std::uint64_t events_ = 0;
  std::map<Key, Group> groups_;
  std::map<std::string, std::pair<std::uint64_t, bool>> commands_;  // pattern: times, asked for
  std::set<std::string> good_labels_;
  std::set<std::string> bad_labels_;
  Causes left_out_;
};

}  // namespace aispm::policy
