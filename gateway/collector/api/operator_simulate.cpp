// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_simulate.hpp"

#include <atomic>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/approval_book.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/detect/recorded_detections.hpp"
#include "sdk/core/policy/explain.hpp"
#include "sdk/core/policy/learn.hpp"
#include "sdk/core/policy/problems.hpp"
#include "sdk/core/policy/registry_load.hpp"
#include "sdk/core/policy/replay.hpp"

namespace aispm::collector::api {
namespace {

namespace pb = aispm::v1;
using policy::FolderFile;
using Steady = std::chrono::steady_clock;

constexpr std::uint32_t kMaxHours = 720;
constexpr std::uint32_t kSimulateHours = 24;
constexpr std::uint32_t kProposeHours = 168;

// At most one reads the whole window at a time, so that a worker is left for everybody else.
class Turn {
 public:
  static Result<Turn> take(const std::shared_ptr<std::atomic_flag>& busy) {
    if (busy->test_and_set())
      return fail(Errc::kExhausted, "another simulation is running; try again when it has ended");
    return Turn(busy);
  }
  Turn(Turn&& other) noexcept = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (busy_) busy_->clear();
  }

 private:
  explicit Turn(std::shared_ptr<std::atomic_flag> busy) : busy_(std::move(busy)) {}
  std::shared_ptr<std::atomic_flag> busy_;
};

template <typename Files>
std::vector<FolderFile> files_of(const Files& from) {
  std::vector<FolderFile> files;
  for (const pb::PolicyFile& file : from) files.push_back({file.path(), file.content()});
  std::sort(files.begin(), files.end(),
            [](const FolderFile& left, const FolderFile& right) { return left.path < right.path; });
  return files;
}

Result<pb::ListEventsRequest> window(std::uint32_t hours, std::uint32_t fallback, WallTime now) {
  if (hours > kMaxHours)
    return fail(Errc::kInvalid, "hours: allowed is 1 to " + std::to_string(kMaxHours));
  const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
  pb::ListEventsRequest request;
  request.mutable_after()->set_seconds(seconds -
                                       std::int64_t{hours == 0 ? fallback : hours} * 3600);
  request.mutable_before()->set_seconds(seconds + 1);
  request.set_page_size(limits::kMaxPage);
  return request;
}

// What one call may read, over all its kinds of events.
struct Budget {
  std::uint64_t events = limits::kMaxReplayEvents;
  Steady::time_point until = Steady::now() + limits::kReplayTime;
  std::uint64_t not_looked_at = 0;
};

// Every event of the window, the newest first, a page at a time.
Result<> each_event(Desk& desk, pb::ListEventsRequest request, Budget& budget,
                    const std::function<void(const pb::Event&)>& take) {
  std::uint64_t seen = 0;
  for (;;) {
    AISPM_TRY(const pb::EventList page, desk.reader.events(request, store::Reader::Only::kAll));
    for (const pb::Event& event : page.events()) take(event);
    const auto count = static_cast<std::uint64_t>(page.events_size());
    seen += count;
    budget.events -= std::min(count, budget.events);
    if (page.next_page_token().empty()) return {};
    if (budget.events == 0 || Steady::now() >= budget.until) break;
    request.set_page_token(page.next_page_token());
  }
  request.clear_page_token();
  AISPM_TRY(const std::uint64_t all, desk.reader.count_events(request));
  budget.not_looked_at += all - std::min(all, seen);
  return {};
}

// The candidate's files: sent, or stored.
Result<std::vector<FolderFile>> candidate_files(Desk& desk,
                                                const pb::SimulatePolicyRequest& request) {
  if (request.policy_id().empty()) return files_of(request.files());
  if (!request.files().empty())
    return fail(Errc::kInvalid, "policy_id: send files or name a stored policy, not both");
  AISPM_TRY(const pb::PolicyVersion stored,
            store::PolicyShelf(desk.database).version(request.policy_id(), request.version()));
  return files_of(stored.files());
}

// The collector's registry as it was in force then; null: nobody had decided anything.
Result<std::shared_ptr<const policy::RegistryPart>> registry_at(Desk& desk, WallTime then) {
  store::PolicyShelf shelf(desk.database);
  const auto stored = shelf.version_at(policy::kRegistryPolicy, then);
  if (!stored && stored.error().code == Errc::kNotFound)
    return std::shared_ptr<const policy::RegistryPart>();
  AISPM_CHECK(stored);
  return policy::registry_of(files_of(stored->files()));
}

// A bundle as gateways have it in force: with the registry beside its own files.
Result<std::shared_ptr<const policy::Bundle>> compile_as_there(Desk& desk,
                                                               const std::vector<FolderFile>& files,
                                                               WallTime then) {
  policy::BundleOptions options;
  const bool has_own = std::any_of(files.begin(), files.end(), [](const FolderFile& file) {
    return file.path == policy::kRegistryFile;
  });
  if (!has_own) {
    AISPM_TRY(options.registry, registry_at(desk, then));
  }
  return policy::Bundle::compile(files, options);
}

Result<pb::Simulation> simulate(Desk& desk, const pb::SimulatePolicyRequest& request,
                                WallTime now) {
  AISPM_TRY(const std::vector<FolderFile> files, candidate_files(desk, request));
  if (files.empty() && request.text_rules().empty())
    return fail(Errc::kInvalid, "a candidate is needed: files, policy_id or text_rules");
  std::shared_ptr<const policy::Bundle> bundle;
  std::shared_ptr<const policy::Policy> texts;
  if (!files.empty()) {
    AISPM_TRY(bundle, compile_as_there(desk, files, now));
  }
  if (!request.text_rules().empty()) {
    AISPM_TRY(texts, policy::Policy::parse(request.text_rules(), "text_rules"));
  }
  const std::string agent = request.agent().empty() ? "*" : request.agent();
  AISPM_TRY(pb::ListEventsRequest events, window(request.hours(), kSimulateHours, now));
  if (policy::Glob(agent).is_name()) events.set_agent_id(agent);
  policy::ReplayOptions options{policy::Glob(agent), now};
  if (bundle && bundle->detect()) {
    AISPM_TRY(options.detect, detect::judge_recorded_by(*bundle->detect()));
  }
  const bool judges_texts = texts || options.detect;
  policy::Replay replay(bundle, texts, std::move(options));
  Budget budget;
  const auto take = [&replay](const pb::Event& event) { replay.add(event); };
  if (bundle) {
    events.set_kind("action_call");
    AISPM_CHECK(each_event(desk, events, budget, take));
  }
  if (judges_texts) {
    events.set_kind("llm_call");
    AISPM_CHECK(each_event(desk, events, budget, take));
  }
  pb::Simulation report = replay.report();
  report.set_not_looked_at(budget.not_looked_at);
  return report;
}

Result<pb::PolicyProposal> propose(Desk& desk, const pb::ProposePolicyRequest& request,
                                   WallTime now) {
  if (request.agent_id().empty()) return fail(Errc::kInvalid, "agent_id: which agent?");
  AISPM_TRY(pb::ListEventsRequest events, window(request.hours(), kProposeHours, now));
  events.set_kind("action_call");
  events.set_agent_id(request.agent_id());
  policy::Learner learner(request.agent_id());
  Budget budget;
  AISPM_CHECK(
      each_event(desk, events, budget, [&](const pb::Event& event) { learner.add(event); }));
  AISPM_TRY(pb::PolicyProposal proposal, learner.propose());
  AISPM_TRY(const auto bundle, compile_as_there(desk, files_of(proposal.files()), now));
  policy::Replay replay(bundle, nullptr, {policy::Glob(request.agent_id()), now});
  Budget again;
  AISPM_CHECK(each_event(desk, events, again, [&](const pb::Event& event) { replay.add(event); }));
  *proposal.mutable_check() = replay.report();
  proposal.mutable_check()->set_not_looked_at(again.not_looked_at);
  proposal.set_not_looked_at(budget.not_looked_at);
  return proposal;
}

// The stored version that has just these files; its number stays 0 when none has.
Result<pb::PolicyVersion> deciding_version(Desk& desk, const std::string& policy_id,
                                           const std::string& digest) {
  store::PolicyShelf shelf(desk.database);
  const auto versions = shelf.versions(policy_id);
  if (!versions) return pb::PolicyVersion();  // a gateway's own bundle
  for (const pb::PolicyVersion& version : versions->versions())
    if (version.digest() == digest) return shelf.version(policy_id, version.version());
  return pb::PolicyVersion();
}

// The event of a decision, by its own id or by that of the approval that it asked for.
Result<pb::Event> decided_event(Desk& desk, const std::string& id, WallTime now) {
  auto event = desk.reader.event(id);
  if (event || event.error().code != Errc::kNotFound) return event;
  const auto approval = store::ApprovalBook(desk.database).get(id, now);
  if (!approval) return fail(Errc::kNotFound, "neither an event nor an approval has that id");
  pb::ListEventsRequest asked;
  asked.set_page_size(limits::kMaxPage);
  asked.set_kind("action_call");
  asked.set_agent_id(approval->agent_id());
  asked.set_trace_id(approval->trace_id());
  AISPM_TRY(const pb::EventList events, desk.reader.events(asked, store::Reader::Only::kDecided));
  for (const pb::Event& one : events.events())
    if (one.action_call().approval_id() == id) return one;
  return fail(Errc::kNotFound, "the event of this approval has not come yet, or is no longer kept");
}

Result<pb::Explanation> explain(Desk& desk, const pb::ExplainDecisionRequest& request,
                                WallTime now) {
  AISPM_TRY(const pb::Event event, decided_event(desk, request.id(), now));
  if (!event.has_decision()) return fail(Errc::kNotFound, "nothing was decided about this event");
  AISPM_TRY(const pb::PolicyVersion version, deciding_version(desk, event.action_call().policy_id(),
                                                              event.decision().policy_version()));
  std::shared_ptr<const policy::Bundle> bundle;
  if (version.version() != 0) {
    AISPM_TRY(bundle, policy::Bundle::compile(files_of(version.files())));
  }
  const WallTime then{event.time().seconds() * 1'000'000'000 + event.time().nanos()};
  AISPM_TRY(const auto registry, registry_at(desk, then));
  pb::Explanation explanation = policy::explain_action(bundle.get(), event, registry.get());
  explanation.set_policy_id(event.action_call().policy_id());
  explanation.set_policy_number(version.version());
  *explanation.mutable_event() = event;
  return explanation;
}

}  // namespace

void add_simulation(Handlers& handlers, const WallClock& clock) {
  const auto busy = std::make_shared<std::atomic_flag>();
  add_handler<pb::ValidatePolicyRequest, pb::PolicyValidation>(
      handlers, "ValidatePolicy",
      [](Desk&, const pb::ValidatePolicyRequest& request) -> Result<pb::PolicyValidation> {
        policy::BundleOptions options;
        options.take_detect = [](const auto& part) {
          return detect::check_bundle_rules(part->text, part->path);
        };
        return policy::validate_bundle(files_of(request.files()), options);
      });
  add_handler<pb::SimulatePolicyRequest, pb::Simulation>(
      handlers, "SimulatePolicy",
      [clock, busy](Desk& desk,
                    const pb::SimulatePolicyRequest& request) -> Result<pb::Simulation> {
        AISPM_TRY(const Turn turn, Turn::take(busy));
        return simulate(desk, request, clock());
      });
  add_handler<pb::ExplainDecisionRequest, pb::Explanation>(
      handlers, "ExplainDecision", [clock](Desk& desk, const pb::ExplainDecisionRequest& request) {
        return explain(desk, request, clock());
      });
  add_handler<pb::ProposePolicyRequest, pb::PolicyProposal>(
      handlers, "ProposePolicy",
      [clock, busy](Desk& desk,
                    const pb::ProposePolicyRequest& request) -> Result<pb::PolicyProposal> {
        AISPM_TRY(const Turn turn, Turn::take(busy));
        return propose(desk, request, clock());
      });
}

}  // namespace aispm::collector::api
