// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/simulate.hpp"

#include <google/protobuf/util/json_util.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>

#include "sdk/core/common/file.hpp"
#include "sdk/core/detect/recorded_detections.hpp"
#include "sdk/core/policy/explain.hpp"
#include "sdk/core/policy/learn.hpp"
#include "sdk/core/policy/registry_load.hpp"
#include "sdk/core/policy/replay.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::size_t kMaxLineBytes = 16U << 20;  // a page of `aispm events --json` is one line
constexpr std::size_t kMaxFileEvents = 1'000'000;
constexpr std::size_t kMaxTextRulesBytes = 4U << 20;
constexpr std::uint32_t kMaxHours = 720;

Result<v1::EventList> read_line(const std::string& line, const std::string& where) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a newer collector
  v1::EventList list;
  if (line.size() > kMaxLineBytes) return fail(Errc::kTooLarge, where + ": the line is too long");
  const bool is_list = line.find("\"events\"") < line.find_first_of("[}");
  const auto status =
      is_list ? google::protobuf::util::JsonStringToMessage(line, &list, options)
              : google::protobuf::util::JsonStringToMessage(line, list.add_events(), options);
  if (!status.ok())
    return fail(Errc::kInvalid, where + ": no event as `aispm events --json` prints it: " +
                                    std::string(status.message()));
  return list;
}

// One at a time; the file may be larger than memory.
Result<> each_event(const std::string& path, const std::function<void(const v1::Event&)>& take) {
  std::ifstream file(path);
  if (!file) return fail_errno(path);
  std::size_t count = 0;
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string where = path + ":" + std::to_string(++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    AISPM_TRY(const v1::EventList list, read_line(line, where));
    for (const v1::Event& event : list.events()) {
      if (++count > kMaxFileEvents)
        return fail(Errc::kTooLarge,
                    where + ": more than " + std::to_string(kMaxFileEvents) + " events");
      take(event);
    }
  }
  return {};
}

template <typename Request>
void add_files(const std::vector<policy::FolderFile>& files, Request& request) {
  for (const policy::FolderFile& file : files) {
    auto* const out = request.add_files();
    out->set_path(file.path);
    out->set_content(file.content);
  }
}

Result<> no_candidate() {
  return fail(Errc::kInvalid, "which candidate? Name a folder, a stored policy, or --texts");
}

}  // namespace

Result<std::uint32_t> parse_hours(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::uint32_t factor = unit == "h" ? 1 : unit == "d" ? 24 : 0;
  if (error != std::errc() || factor == 0 || number == 0 || number > kMaxHours / factor)
    return fail(Errc::kInvalid, "--last: `" + text + "`: allowed is 1h to 720h, or 1d to 30d");
  return number * factor;
}

Result<> simulate_file(const SimulateWords& words, const Output& output) {
  std::shared_ptr<const policy::Bundle> bundle;
  std::shared_ptr<const policy::Policy> texts;
  if (!words.candidate.empty()) {
    AISPM_TRY(bundle, policy::load_with_registry(words.candidate, words.registry));
  }
  if (!words.texts.empty()) {
    AISPM_TRY(texts, policy::Policy::load(words.texts));
  }
  if (!bundle && !texts) return no_candidate();
  policy::ReplayOptions options{policy::Glob(words.agent), output.now};
  if (bundle && bundle->detect()) {
    AISPM_TRY(options.detect, detect::judge_recorded_by(*bundle->detect()));
  }
  policy::Replay replay(bundle, texts, std::move(options));
  AISPM_CHECK(each_event(words.events, [&](const v1::Event& event) { replay.add(event); }));
  return print_simulation(replay.report(), output);
}

Result<> simulate_recorded(Client& client, const SimulateWords& words, const Output& output) {
  v1::SimulatePolicyRequest request;
  request.set_agent(words.agent);
  AISPM_TRY(const std::uint32_t hours, parse_hours(words.last));
  request.set_hours(hours);
  if (words.candidate.empty() && words.texts.empty()) return no_candidate();
  if (std::filesystem::is_directory(words.candidate)) {
    AISPM_TRY(const auto files, policy::read_safe_folder(words.candidate));
    AISPM_TRY(const auto bundle, policy::Bundle::compile(files));
    add_files(files, request);
  } else if (!words.candidate.empty()) {
    const std::size_t at = words.candidate.find('@');
    request.set_policy_id(words.candidate.substr(0, at));
    if (at != std::string::npos) {
      std::uint64_t version = 0;
      const std::string text = words.candidate.substr(at + 1);
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
      if (error != std::errc() || end != text.data() + text.size())
        return fail(Errc::kInvalid, "`" + words.candidate + "`: neither a folder nor ID@VERSION");
      request.set_version(version);
    }
  }
  if (!words.texts.empty()) {
    AISPM_TRY(*request.mutable_text_rules(), read_file(words.texts, kMaxTextRulesBytes));
  }
  AISPM_TRY(const v1::Simulation report, client.call(&Stub::SimulatePolicy, request));
  return print_simulation(report, output);
}

Result<> explain_in_file(const ExplainWords& words, const Output& output) {
  std::shared_ptr<const policy::Bundle> bundle;
  if (!words.bundle.empty()) {
    AISPM_TRY(bundle, policy::Bundle::load(words.bundle));
  }
  AISPM_TRY(const auto registry, policy::load_registry(words.registry));
  std::optional<v1::Event> found;
  AISPM_CHECK(each_event(words.events, [&](const v1::Event& event) {
    if (event.id() == words.id) found = event;
  }));
  if (!found || !found->has_decision())
    return fail(Errc::kNotFound, words.events + ": has no decision with the id " + words.id);
  v1::Explanation explanation = policy::explain_action(bundle.get(), *found, registry.get());
  explanation.set_policy_id(found->action_call().policy_id());
  *explanation.mutable_event() = std::move(*found);
  return print_explanation(explanation, output);
}

Result<> explain_recorded(Client& client, const ExplainWords& words, const Output& output) {
  v1::ExplainDecisionRequest request;
  request.set_id(words.id);
  AISPM_TRY(const v1::Explanation explanation, client.call(&Stub::ExplainDecision, request));
  return print_explanation(explanation, output);
}

Result<> learn_from_file(const LearnWords& words, const Output& output) {
  policy::Learner learner(words.agent);
  AISPM_CHECK(each_event(words.events, [&](const v1::Event& event) { learner.add(event); }));
  AISPM_TRY(v1::PolicyProposal proposal, learner.propose());
  std::vector<policy::FolderFile> files;
  for (const v1::PolicyFile& file : proposal.files())
    files.push_back({file.path(), file.content()});
  AISPM_TRY(const auto bundle, policy::Bundle::compile(files));
  policy::Replay replay(bundle, nullptr, {policy::Glob(words.agent), output.now});
  AISPM_CHECK(each_event(words.events, [&](const v1::Event& event) { replay.add(event); }));
  *proposal.mutable_check() = replay.report();
  return print_proposal(proposal, words.out, output);
}

Result<> learn_recorded(Client& client, const LearnWords& words, const Output& output) {
  v1::ProposePolicyRequest request;
  request.set_agent_id(words.agent);
  AISPM_TRY(const std::uint32_t hours, parse_hours(words.last));
  request.set_hours(hours);
  AISPM_TRY(const v1::PolicyProposal proposal, client.call(&Stub::ProposePolicy, request));
  return print_proposal(proposal, words.out, output);
}

}  // namespace aispm::cli
