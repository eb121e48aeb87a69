// SPDX-License-Identifier: Apache-2.0
// Who an order is about: everybody in the trees that it names is held before it is said to be in
// force, and those who have ended leave the kernel's table.
#include <algorithm>
#include <chrono>
#include <utility>

#include "sdk/core/common/log.hpp"
#include "sensor/kernel_guard.hpp"

namespace aispm::sensor {
namespace {

constexpr int kMostLooks = 64;         // at all processes, until nobody new is found
constexpr int kMostAncestors = 16384;  // that have ended; the kernel remembers no more
constexpr std::chrono::seconds kRetry{1};

Decider::Known known_of(const model::Process& process, std::string_view agent) {
  Decider::Known known;
  known.parent = process.parent;
  known.uid = process.uid;
  known.user = process.user;
  known.exe = process.exe;
  known.agent_id = agent;
  known.container_id = process.container_id;
  known.cgroup_id = process.cgroup_id;
  return known;
}

}  // namespace

// Of those who started it, and each other, the first who is known; and the first agent that one of
// them belongs to, since what an agent starts is its own.
KernelGuard::Descent KernelGuard::descent_of(const model::ProcessId& id) const {
  Descent descent{{}, parts_.agent_of(id)};
  std::optional<model::ProcessId> elder = enforcer_->parent_of(id);
  for (int i = 0; elder && i < kMostAncestors; ++i) {
    if (descent.agent.empty()) descent.agent = parts_.agent_of(*elder);
    if (decider_.known(*elder) != nullptr) {
      descent.starter = *elder;
      break;
    }
    elder = enforcer_->parent_of(*elder);
  }
  return descent;
}

Result<> KernelGuard::know_running() {
  AISPM_TRY(auto listed, enforcer_->list_processes());
  std::ranges::sort(listed, {}, [](const ListedProcess& one) { return one.id.start; });
  for (const ListedProcess& one : listed) {
    const Decider::Known* known = decider_.known(one.id);
    const bool is_orphan =
        known != nullptr && known->starter.pid != 0 && decider_.known(known->starter) == nullptr;
    if (known != nullptr && !is_orphan && known->parent == one.parent) {
      const std::string agent = parts_.agent_of(one.id);
      if (agent.empty() || agent == known->agent_id) continue;
    }
    const Descent descent = descent_of(one.id);
    model::Process process = describe_process(one.id);
    // Who lost its parent belongs to the tree that it was given to, and to that of its starter.
    process.parent = one.parent;
    process.uid = one.uid;
    process.user = parts_.user_name(one.uid);
    process.cgroup_id = one.cgroup_id;
    Decider::Known fresh = known_of(process, descent.agent);
    fresh.starter = descent.starter;
    decider_.on_process(one.id, std::move(fresh));
  }
  // Of a tree the child may be known, by its exec, long before its parent, which only forked.
  decider_.hand_down();
  return {};
}

// What a process starts once the kernel holds it belongs to its rules by inheritance. What it
// started before is in a list that is read afterwards, or has ended and left children who are: the
// kernel says who started them. So nobody is missing when a look finds nobody whom the kernel does
// not hold.
Result<> KernelGuard::follow_trees() {
  for (int i = 0; i < kMostLooks; ++i) {
    AISPM_CHECK(know_running());
    AISPM_TRY(const std::size_t added, enforcer_->add_processes(decider_.tables()));
    if (added == 0) return {};
  }
  return fail(Errc::kExhausted,
              "processes start faster than they can be told apart: some may be missed");
}

Result<> KernelGuard::put_in_force() {
  const std::uint64_t lost = enforcer_->lost_children();
  AISPM_CHECK(enforcer_->apply(decider_.tables()));
  if (decider_.has_orders()) {
    // Who forked before the hooks were armed told nobody but the pipeline.
    if (parts_.drain_records && decider_.wants_agents()) {
      is_draining_ = true;
      parts_.drain_records();
      is_draining_ = false;
    }
    if (std::exchange(lost_children_, lost) != lost) AISPM_CHECK(enforcer_->remove_ended());
    AISPM_CHECK(follow_trees());
  }
  decider_.settle();
  misses_some_ = false;
  return {};
}

// Not all that orders are about is held: for want of room, or because too much happened at once.
bool KernelGuard::misses_some() const {
  return decider_.has_orders() && (misses_some_ || enforcer_->lost_children() != lost_children_);
}

void KernelGuard::work(WallTime now) {
  const BootTime begin = boot_now();
  const bool was_offered = take_offer(now);
  const std::string problem_before = apply_problem_;
  const bool is_due = decider_.has_changed() || misses_some();
  // What failed is tried again, not with every batch of records.
  if (is_due && (was_offered || begin >= next_try_)) {
    if (const auto done = put_in_force(); !done) {
      report_problem(done.error());
      apply_problem_ = done.error().message;
      misses_some_ = true;
      next_try_ = {begin.nanoseconds + std::chrono::nanoseconds(kRetry).count()};
    } else {
      last_error_.clear();
      apply_problem_.clear();
      last_apply_us_ = microseconds_since(begin);
      note_absent();
    }
  }
  end_processes();
  if (!was_offered && apply_problem_ == problem_before && engine_problem_ == told_engine_problem_)
    return;
  told_engine_problem_ = engine_problem_;
  log::info("orders.applied", {{"version", applied_version_},
                               {"orders", collector_orders_.size()},
                               {"problems", problems_.size()},
                               {"took_us", microseconds_since(begin)}});
  tell_states();
}

void KernelGuard::sweep() {
  if (!engine_problem_.empty()) open_engine();
  if (!enforcer_->is_loaded()) return;
  if (const auto done = enforcer_->refresh_files(decider_.tables()); !done)
    report_problem(done.error());
  const auto removed = enforcer_->remove_ended();
  if (!removed) return report_problem(removed.error());
  if (*removed > 0) log::info("enforce.removed_ended", {{"processes", *removed}});
}

void KernelGuard::on_process(const model::Process& process, std::string_view agent) {
  Decider::Known known = known_of(process, agent);
  if (decider_.has_orders()) {
    const Descent descent = descent_of(process.id);
    known.starter = descent.starter;
    if (known.agent_id.empty()) known.agent_id = descent.agent;
  }
  const auto change = decider_.on_process(process.id, std::move(known));
  const Subject* subject = decider_.subject_of(process.id);
  if (change == Decider::Change::kNone || subject == nullptr) return;
  auto done = enforcer_->add_process(process.id, *subject);
  // Its children that run already.
  if (done && change == Decider::Change::kGained && !is_draining_) done = follow_trees();
  if (done) return;
  misses_some_ = true;
  report_problem(done.error());
}

void KernelGuard::on_exit(const model::ProcessId& process) {
  if (decider_.subject_of(process) != nullptr)
    if (const auto done = enforcer_->forget(process); !done) report_problem(done.error());
  decider_.on_exit(process);
  ended_.erase(process);
}

}  // namespace aispm::sensor
