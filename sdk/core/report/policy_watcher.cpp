// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/policy_watcher.hpp"

#include <algorithm>
#include <future>

#include "sdk/core/report/ack_sender.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

using PolicyFollower = SnapshotFollower<v1::WatchPoliciesRequest, v1::PolicySnapshot>;

class GrpcPolicyWatcher final : public PolicyWatcher {
 public:
  GrpcPolicyWatcher(const ReporterOptions& options, policy::PolicyRules rules, OnChange on_change)
      : rules_(std::move(rules)),
        on_change_(std::move(on_change)),
        acks_("policies", &v1::Ingest::Stub::AckPolicies, options.state_folder),
        follower_(options, subject()) {}

  void wait_for_first() { first_.get_future().wait(); }

 private:
  PolicyFollower::Subject subject() {
    return {
        .name = "policies",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchPolicies(rest...); },
        .take = [this](const v1::PolicySnapshot& snapshot) { take(snapshot); },
        .take_nothing = [this] { announce(policy::update_book(*book_, {}, 0, rules_).book); },
        .meanwhile = [this](const auto& channel,
                            const std::stop_token& end) { acks_.run(channel, end); },
        .take_damaged =
            [this](const std::string& reason) {
              announce(policy::closed_book("the policies kept on disk cannot be used: " + reason));
            }};
  }

  void take(const v1::PolicySnapshot& snapshot) {
    std::vector<policy::OfferedPolicy> offered;
    std::vector<policy::PolicyState> refused;
    for (const auto& one : snapshot.policies()) {
      auto offer = from_proto(one);
      if (offer)
        offered.push_back(std::move(*offer));
      else
        refused.push_back({one.policy_id(), one.version(), offer.error().message});
    }
    auto update = policy::update_book(*book_, std::move(offered), snapshot.version(), rules_);
    announce(std::move(update.book));
    update.states.insert(update.states.end(), refused.begin(), refused.end());
    v1::AckPoliciesRequest ack;
    ack.set_version(snapshot.version());
    for (const policy::PolicyState& state : update.states) {
      auto* const one = ack.add_states();
      one->set_policy_id(state.id);
      one->set_version(state.version);
      one->set_problem(state.problem);
      if (!state.problem.empty())
        log::error("policy.not_in_force",
                   {{"policy", state.id}, {"version", state.version}, {"reason", state.problem}});
    }
    acks_.say(std::move(ack));
  }

  void announce(std::shared_ptr<const policy::PolicyBook> book) {
    book_ = std::move(book);
    on_change_(book_);
    if (!std::exchange(was_announced_, true)) first_.set_value();
  }

  const policy::PolicyRules rules_;
  const OnChange on_change_;
  // Of the follower's thread.
  std::shared_ptr<const policy::PolicyBook> book_ = std::make_shared<const policy::PolicyBook>();
  bool was_announced_ = false;
  std::promise<void> first_;
  AckSender<v1::AckPoliciesRequest, v1::AckPoliciesReply> acks_;
  PolicyFollower follower_;  // last: its threads use the rest
};

}  // namespace

Result<policy::OfferedPolicy> from_proto(const v1::PolicySnapshot::Assigned& from) {
  policy::OfferedPolicy offer;
  offer.id = from.policy_id();
  offer.version = from.version();
  if (from.stage() != v1::POLICY_STAGE_MONITOR && from.stage() != v1::POLICY_STAGE_ENFORCED)
    return fail(Errc::kInvalid, "a stage that this version does not know");
  offer.stage = from.stage() == v1::POLICY_STAGE_ENFORCED ? policy::PolicyStage::kEnforced
                                                          : policy::PolicyStage::kMonitor;
  offer.scope.priority = from.scope().priority();
  for (const std::string& agent : from.scope().agents()) offer.scope.agents.emplace_back(agent);
  offer.scope.tenants = {from.scope().tenants().begin(), from.scope().tenants().end()};
  // Hosts are the collector's affair: it knows them by their certificates.
  for (const v1::PolicyFile& file : from.files())
    offer.files.push_back({file.path(), file.content()});
  std::sort(offer.files.begin(), offer.files.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  offer.digest = from.digest();
  return offer;
}

Result<std::unique_ptr<PolicyWatcher>> PolicyWatcher::open(const ReporterOptions& options,
                                                           policy::PolicyRules rules,
                                                           OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  auto watcher =
      std::make_unique<GrpcPolicyWatcher>(options, std::move(rules), std::move(on_change));
  watcher->wait_for_first();
  return watcher;
}

}  // namespace aispm::report
