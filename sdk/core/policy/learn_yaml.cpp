// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/learn.hpp"
#include "sdk/core/policy/shell_tool.hpp"

namespace aispm::policy {
namespace {

// Quoted as JSON, which YAML reads alike.
std::string quoted(const std::string& text) {
  return boost::json::serialize(boost::json::string(text));
}

template <typename List>
std::string list_of(const List& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + quoted(text);
  return "[" + out + "]";
}

std::string number_text(double number) {
  std::ostringstream out;
  out.precision(17);
  out << number;
  return out.str();
}

// `git log` of `git log --oneline`: a program and a word that says what it is to do.
std::string stem_of(const std::string& pattern) {
  std::istringstream words(pattern);
  std::string program;
  std::string verb;
  std::string rest;
  words >> program >> verb >> rest;
  const bool is_verb = verb.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos &&
                       !verb.empty() && verb[0] != '-';
  return is_verb && program.find_first_of("<>") == std::string::npos ? program + " " + verb : "";
}

}  // namespace

std::string Learner::rules_of(const Key& key, const Group& group, std::size_t number) const {
  const auto& [tool, provider, environment, was_asked, has_destination, paths] = key;
  const std::string id = "learned-" + std::to_string(number);
  const std::string who = "agent: " + quoted(agent_) + ", tool: " + quoted(tool) +
                          (environment.empty() ? "" : ", environment: " + quoted(environment));
  const bool lists_places = has_destination && group.destinations.size() <= kMaxPlaces;
  const std::string from = provider.empty() ? "" : ", tool_provider: " + quoted(provider);
  const std::string to = lists_places ? ", destination: " + list_of(group.destinations) : "";
  std::string out;
  const auto refuse = [&](const char* why, const std::string& match, const std::string& when) {
    out += "  - {id: " + id + "-" + why + ", match: {" + match + "}" +
           (when.empty() ? "" : ", when: {" + when + "}") + ", outcome: deny}\n";
  };
  // A rule without these would match with any of them.
  if (provider.empty()) refuse("no-server", who + to + ", tool_provider: '?*'", "");
  if (!has_destination) refuse("nowhere", who + from + ", destination: '?*'", "");
  std::string tests;
  for (const auto& [path, argument] : group.arguments) {
    std::string test;
    if (argument.is_number && group.count >= kStable && argument.texts.size() > 1) {
      const std::string low = number_text(argument.low);
      const std::string high = number_text(argument.high);
      // With several at one path any may hold, so one that does not is refused before.
      if (path.find('*') != std::string::npos) {
        refuse(("below-" + std::to_string(out.size())).c_str(), who + from + to,
               "tool_args_match: {" + quoted(path) + ": {lt: " + low + "}}");
        refuse(("above-" + std::to_string(out.size())).c_str(), who + from + to,
               "tool_args_match: {" + quoted(path) + ": {gt: " + high + "}}");
      }
      test = "{gte: " + low + ", lte: " + high + "}";
    } else if (!argument.is_long && argument.texts.size() <= kMaxValues &&
               (group.count < kStable || argument.texts.size() * 2 <= group.count)) {
      test = "{one_of: " + list_of(argument.texts) + "}";
    } else {
      continue;  // ever new: any
    }
    tests += (tests.empty() ? "" : ", ") + quoted(path) + ": " + test;
  }
  std::string when;
  if (group.is_whole) {
    std::string only = group.arguments.empty() ? quoted("(none)") : "";
    for (const auto& [path, argument] : group.arguments)
      only += (only.empty() ? "" : ", ") + quoted(path);
    when = "tool_args_only: [" + only + "]";
    if (!tests.empty()) when += ", tool_args_match: {" + tests + "}";
  }
  out += "  - id: " + id + "\n    match: {" + who + from + to + "}\n";
  if (!when.empty()) out += "    when: {" + when + "}\n";
  if (!group.is_whole) out += "    # Its arguments were not recorded: any are allowed.\n";
  out += std::string("    outcome: ") + (was_asked ? "require_approval" : "allow") + "\n";
  return out + "    reason: Seen " + std::to_string(group.count) + " times\n";
}

std::string Learner::actions_yaml(std::uint64_t& learned, Causes& left_out) const {
  std::string out = "# What " + quoted(agent_) +
                    " did, and nothing else.\nversion: \"1\"\ndefaults: {outcome: deny}\nrules:\n";
  std::set<std::string> labels;
  std::set_difference(bad_labels_.begin(), bad_labels_.end(), good_labels_.begin(),
                      good_labels_.end(), std::inserter(labels, labels.end()));
  if (!labels.empty())
    out += "  - {id: labels, match: {agent: " + quoted(agent_) +
           "}, when: {data_labels_any: " + list_of(labels) +
           "}, outcome: deny, reason: Data of these classes was refused}\n";
  // Those that name where a tool comes from and data goes to first: what follows refuses the rest.
  std::vector<const std::pair<const Key, Group>*> sorted;
  for (const auto& one : groups_) sorted.push_back(&one);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    const auto names = [](const Key& key) {
      return int(!std::get<1>(key).empty()) + int(std::get<4>(key));
    };
    return names(left->first) > names(right->first);
  });
  std::size_t number = 0;
  for (const auto* one : sorted) {
    const Group& group = one->second;
    const bool is_open =
        std::any_of(group.arguments.begin(), group.arguments.end(), [&](const auto& argument) {
          return argument.second.is_long &&
                 !(is_shell_tool(std::get<0>(one->first)) && is_command_argument(argument.first));
        });
    if (group.count < kStable && (is_open || !group.is_whole)) {
      left_out["too few examples for arguments that were not recorded or are too long to list"] +=
          group.count;
      continue;
    }
    learned += group.count;
    out += rules_of(one->first, group, ++number);
  }
  return number == 0 ? "" : out;
}

std::string Learner::commands_yaml() const {
  if (commands_.empty()) return "";
  std::map<std::string, std::pair<std::uint64_t, bool>> stems;
  for (const auto& [pattern, seen] : commands_)
    if (const std::string stem = stem_of(pattern); !stem.empty() && !seen.second) {
      ++stems[stem].first;
      stems[stem].second = stems[stem].second || stem == pattern;
    }
  std::string out = "defaults: {outcome: deny}\nrules:\n";
  std::size_t number = 0;
  const auto rule = [&](const std::string& pattern, const char* outcome) {
    out += "  - {id: learned-" + std::to_string(++number) + ", command: " + quoted(pattern) +
           ", outcome: " + outcome + "}\n";
  };
  const auto is_stable = [&](const std::string& pattern) {
    const auto found = stems.find(stem_of(pattern));
    return found != stems.end() && found->second.first >= kStable;
  };
  for (const auto& [stem, seen] : stems)
    if (seen.first >= kStable) rule(stem + " *", "allow");
  for (const auto& [pattern, seen] : commands_)
    if (!seen.second && !is_stable(pattern)) rule(pattern, "allow");
  for (const auto& [pattern, seen] : commands_)
    if (seen.second) rule(pattern, "require_approval");
  return out;
}

Result<v1::PolicyProposal> Learner::propose() const {
  v1::PolicyProposal proposal;
  proposal.set_events(events_);
  std::uint64_t learned = 0;
  Causes left_out = left_out_;
  const std::string actions = actions_yaml(learned, left_out);
  if (actions.empty())
    return fail(Errc::kNotFound, "`" + agent_ + "`: of " + std::to_string(events_) +
                                     " actions none was allowed that could be learned");
  std::vector<FolderFile> files = {{"actions.yaml", actions}};
  if (std::string commands = commands_yaml(); !commands.empty())
    files.push_back({"commands.yaml", std::move(commands)});
  if (const auto bundle = Bundle::compile(files); !bundle)
    return fail(Errc::kInternal, "the proposal does not compile: " + bundle.error().message);
  for (FolderFile& file : files) {
    auto* const out = proposal.add_files();
    out->set_path(file.path);
    out->set_content(std::move(file.content));
  }
  proposal.set_learned(learned);
  for (const auto& [reason, count] : left_out) {
    auto* const cause = proposal.add_left_out();
    cause->set_reason(reason);
    cause->set_count(count);
  }
  return proposal;
}

}  // namespace aispm::policy
