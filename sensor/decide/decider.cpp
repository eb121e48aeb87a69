// SPDX-License-Identifier: Apache-2.0
#include "sensor/decide/decider.hpp"

#include <algorithm>
#include <chrono>

#include "sdk/core/model/freeze_orders.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sensor/decide/address.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kTickNanoseconds = 10'000'000;  // of /proc/PID/stat
constexpr std::size_t kShortContainerId = 12;
constexpr std::uint64_t kKeepNanoseconds = 600'000'000'000;  // that a name led to an address

bool same_process(const model::ProcessId& a, const model::ProcessId& b) {
  return a.pid == b.pid && (a.start == b.start || a.start.nanoseconds / kTickNanoseconds ==
                                                      b.start.nanoseconds / kTickNanoseconds);
}

bool same_container(const std::string& wanted, const std::string& has) {
  return wanted.size() >= kShortContainerId && has.starts_with(wanted);
}

// Quarantine and kill are never lifted by an allowance.
int strength(const model::Order& order) {
  switch (order.action) {
    case model::OrderAction::kKill:
      return 4;
    case model::OrderAction::kQuarantine:
      return 3;
    case model::OrderAction::kAllow:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

Decider::Decider(DecideLookups lookups, Protected protects, const Slots::Table& known_slots)
    : lookups_(std::move(lookups)), protects_(std::move(protects)), slots_(known_slots) {}

std::map<std::string, std::string> Decider::set_orders(std::vector<model::Order> orders,
                                                       WallTime now) {
  std::map<std::string, std::string> problems;
  std::erase_if(orders, [now](const model::Order& order) {
    return order.expires.nanoseconds != 0 && order.expires <= now;
  });
  next_expiry_ = {};
  std::set<RuleSlot> wanted;
  for (const model::Order& order : orders) {
    const std::string rule(model::rule_of_order(order.id));
    wanted.insert({rule, 0});
    wanted.insert({rule, 1});
    if (order.expires.nanoseconds != 0 &&
        (next_expiry_.nanoseconds == 0 || order.expires < next_expiry_))
      next_expiry_ = order.expires;
  }
  slots_.keep_only(wanted);
  rules_.clear();
  wants_detections_ = wants_content_ = false;
  for (const model::Order& order : orders) {
    auto rule = compile(order);
    if (!rule) {
      problems[order.id] = rule.error().message;
      continue;
    }
    wants_detections_ = wants_detections_ || !order.detection.empty();
    wants_content_ = wants_content_ || !order.detection.empty() || !order.match.model.empty();
    rules_.push_back(std::move(*rule));
  }
  sort_rules();
  has_changed_ = is_stale_ = true;
  return problems;
}

void Decider::sort_rules() {
  rules_by_pid_.clear();
  rules_for_all_.clear();
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const model::OrderMatch& match = rules_[i].order.match;
    const bool is_kernels =
        match.exe.empty() && match.agent_id.empty() && match.container_id.empty();
    if (match.process.pid != 0)
      rules_by_pid_.emplace(match.process.pid, i);
    else if (!is_kernels)
      rules_for_all_.push_back(i);
  }
}

bool Decider::is_protected(const Known& process) const {
  if (process.uid >= kFirstPersonUid) return false;
  return std::ranges::any_of(protects_.executables, [&](const std::string& pattern) {
    return policy::Glob(pattern).matches(process.exe);
  });
}

bool Decider::fits(const Rule& rule, const model::ProcessId& id, const Known& process) const {
  const model::OrderMatch& match = rule.order.match;
  if (match.process.pid != 0 && !same_process(match.process, id)) return false;
  if (!match.exe.empty() && !policy::Glob(match.exe).matches(process.exe)) return false;
  if (!match.agent_id.empty() &&
      (process.agent_id.empty() || !policy::Glob(match.agent_id).matches(process.agent_id)))
    return false;
  if (!match.user.empty() && match.user != process.user &&
      match.user != std::to_string(process.uid))
    return false;
  if (!match.container_id.empty() && !same_container(match.container_id, process.container_id))
    return false;
  return match.cgroup.empty() || (rule.cgroup && *rule.cgroup == process.cgroup_id);
}

RuleMask Decider::rules_of(const model::ProcessId& id, const Known& process) const {
  RuleMask mask;
  const auto look_at = [&](const Rule& rule) {
    if (!fits(rule, id, process)) return;
    mask.set(rule.main);
    if (rule.exception) mask.set(*rule.exception);
  };
  for (const std::size_t i : rules_for_all_) look_at(rules_[i]);
  const auto [first, last] = rules_by_pid_.equal_range(id.pid);
  for (auto about = first; about != last; ++about) look_at(rules_[about->second]);
  return mask;
}

RuleMask Decider::inherited(const Known& process) const {
  RuleMask mask;
  for (const model::ProcessId& elder : {process.parent, process.starter})
    if (const Subject* subject = subject_of(elder); subject != nullptr) mask |= subject->rules;
  return mask;
}

Subject Decider::judge(const model::ProcessId& id, const Known& process) const {
  Subject subject{rules_of(id, process), false};
  subject.rules |= inherited(process);
  subject.is_protected = !subject.rules.any() && is_protected(process);
  return subject;
}

Decider::Change Decider::on_process(const model::ProcessId& id, Known process) {
  if (known_.size() >= kMaxProcesses && !known_.contains(id)) known_.erase(known_.begin());
  const Known& kept = known_.insert_or_assign(id, std::move(process)).first->second;
  if (is_stale_ || rules_.empty()) return Change::kNone;  // rebuild() looks at all of them
  Subject subject = judge(id, kept);
  const auto before = tables_.processes.find(id);
  if (before != tables_.processes.end()) {
    subject.rules |= before->second.rules;  // who once belonged to a tree stays in it
    if (subject.rules.any()) subject.is_protected = false;
    if (before->second == subject) return Change::kNone;
  }
  if (!subject.rules.any() && !subject.is_protected) {
    return Change::kNone;
  }
  const Subject* parent = subject_of(kept.parent);
  const bool has_more =
      subject.rules.any() && (parent == nullptr || parent->rules != subject.rules);
  tables_.processes[id] = subject;
  note_to_end(id, subject);
  return has_more ? Change::kGained : Change::kOwn;
}

bool Decider::wants_agents() const {
  return std::ranges::any_of(rules_,
                             [](const Rule& rule) { return !rule.order.match.agent_id.empty(); });
}

void Decider::hand_down() {
  if (is_stale_ || rules_.empty()) return;  // rebuild() does
  for (const auto& [id, process] : by_age()) {
    const RuleMask handed = inherited(*process);
    if (!handed.any()) continue;
    const Subject* const known = subject_of(id);
    Subject subject{known == nullptr ? RuleMask{} : known->rules, false};
    subject.rules |= handed;
    if (known != nullptr && *known == subject) continue;
    tables_.processes[id] = subject;
    note_to_end(id, subject);
  }
}

bool Decider::is_running(const model::ProcessId& id) const {
  for (auto at = known_.lower_bound({id.pid, BootTime{0}});
       at != known_.end() && at->first.pid == id.pid; ++at)
    if (same_process(at->first, id)) return true;
  return false;
}

void Decider::on_exit(const model::ProcessId& id) {
  known_.erase(id);
  tables_.processes.erase(id);
  tables_.to_kill.erase(id);
  tables_.to_cut.erase(id);
}

void Decider::on_name(const std::string& name, const std::vector<Address>& addresses, BootTime now,
                      NameWord word) {
  const std::string normal = normal_domain(name);
  if (normal.empty()) return;
  for (const Address& address : addresses) {
    Prefix prefix{address.is_v6, static_cast<std::uint8_t>(address.is_v6 ? 128 : 32),
                  address.bytes};
    if (!address.is_v6) std::fill(prefix.address.begin() + 4, prefix.address.end(), 0);
    if (resolved_.size() >= kMaxResolved && !resolved_.contains(prefix))
      resolved_.erase(resolved_.begin());
    auto& names = resolved_[prefix];
    std::erase_if(names, [now](const auto& one) {
      return one.second.last.nanoseconds + kKeepNanoseconds < now.nanoseconds;
    });
    const auto [sighting, is_new] = names.try_emplace(normal);
    Sighting& seen = sighting->second;
    const bool is_news = is_new || (word == NameWord::kHosts && !seen.is_hosts_word);
    seen.is_hosts_word = seen.is_hosts_word || word == NameWord::kHosts;
    seen.last = now;
    const bool matters = std::ranges::any_of(rules_, [](const Rule& rule) {
      return !rule.names.empty() || !rule.globs.empty() || !rule.open_names.empty();
    });
    if (is_news && matters) has_changed_ = is_stale_ = true;
  }
}

std::optional<Decider::Verdict> Decider::judge_call(
    const model::ProcessId& id, const model::LlmCall& call,
    const std::vector<model::Detection>& detections) const {
  const auto known = known_.find(id);
  const Subject* subject = subject_of(id);
  if (subject != nullptr && subject->is_protected) return std::nullopt;
  const Rule* strongest = nullptr;
  for (const Rule& rule : rules_) {
    const model::Order& order = rule.order;
    if (order.detection.empty() && order.match.model.empty()) continue;
    const bool is_about =
        known != known_.end() ? fits(rule, id, known->second) : !order.match.names_process();
    if (!is_about) continue;
    if (!order.match.model.empty() && !policy::Glob(order.match.model).matches(call.request_model))
      continue;
    if (!order.match.provider.empty() && order.match.provider != call.provider) continue;
    if (!order.detection.empty() &&
        std::ranges::none_of(detections, [&](const model::Detection& one) {
          return one.category == order.detection || one.rule_id == order.detection;
        }))
      continue;
    // One that enforces before one that watches, then the stronger.
    const auto rank = [](const model::Order& one) {
      return std::pair(one.enforces, strength(one));
    };
    if (strongest == nullptr || rank(strongest->order) < rank(order)) strongest = &rule;
  }
  if (strongest == nullptr || strongest->order.action == model::OrderAction::kAllow)
    return std::nullopt;
  return Verdict{&strongest->order,
                 strongest->order.kills || strongest->order.action == model::OrderAction::kKill};
}

const Decider::Known* Decider::known(const model::ProcessId& id) const {
  const auto found = known_.find(id);
  return found == known_.end() ? nullptr : &found->second;
}

const Subject* Decider::subject_of(const model::ProcessId& id) const {
  const auto found = tables_.processes.find(id);
  return found == tables_.processes.end() ? nullptr : &found->second;
}

RuleMask Decider::rule_of(const std::string& order_id) const {
  RuleMask mask;
  for (const Rule& rule : rules_)
    if (rule.order.id == order_id) mask.set(rule.main);
  return mask;
}

const model::Order* Decider::order_of(const aispm_rule_mask& rules) const {
  RuleMask mask{rules};
  for (const Rule& rule : rules_)
    if (mask.has(rule.main)) return &rule.order;
  return nullptr;
}

}  // namespace aispm::sensor
