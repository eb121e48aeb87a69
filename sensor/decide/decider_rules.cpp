// SPDX-License-Identifier: Apache-2.0
// Orders become bits, and bits become tables.
#include <algorithm>

#include "sdk/core/model/freeze_orders.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sensor/decide/address.hpp"
#include "sensor/decide/decider.hpp"

namespace aispm::sensor {
namespace {

using model::Order;
using model::OrderAction;

bool only_content(const Order& order) {
  return !order.detection.empty() || !order.match.model.empty();
}

bool is_total(const Order& order) {
  return order.action == OrderAction::kQuarantine || order.action == OrderAction::kKill;
}

bool forbids_more_than_network(const Order& order) {
  return order.raw_sockets || order.kernel_writes || order.tamper || !order.programs.empty() ||
         !order.write_folders.empty() || !order.approved.empty();
}

void set(aispm_rule_mask& mask, std::size_t bit) { mask.words[bit / 64] |= 1ULL << (bit % 64); }

bool any(const aispm_rule_mask& mask) { return RuleMask{mask}.any(); }

}  // namespace

Result<> Decider::compile_destinations(const Order& order, Rule& rule) const {
  for (const std::string& text : order.match.addresses) {
    AISPM_TRY(rule.addresses.emplace_back(), parse_prefix(text));
  }
  std::vector<std::string> names;
  if (!order.match.domain.empty()) names.push_back(order.match.domain);
  if (!order.match.provider.empty() && !only_content(order)) {
    const auto hosts = lookups_.hosts_of(order.match.provider);
    if (hosts.empty())
      return fail(Errc::kNotFound, "no hosts are known of provider " + order.match.provider);
    names.insert(names.end(), hosts.begin(), hosts.end());
  }
  for (const std::string& name : names) {
    if (const std::string normal = normal_domain(name); !normal.empty())
      rule.names.push_back(normal);
    else if (name.find('*') != std::string::npos)
      rule.globs.push_back(name);
    else
      return fail(Errc::kInvalid, "\"" + name + "\" is no host name");
  }
  for (const std::string& text : order.egress) {
    if (auto prefix = parse_prefix(text); prefix) {
      rule.open.push_back(*prefix);
    } else if (const std::string normal = normal_domain(text); !normal.empty()) {
      rule.open_names.push_back(normal);
    } else {
      return fail(Errc::kInvalid, "egress \"" + text + "\" is no address and no host name");
    }
  }
  return {};
}

Result<Decider::Rule> Decider::compile(const Order& order) {
  if (order.action == OrderAction::kUnspecified)
    return fail(Errc::kInvalid, "an order must block, allow, quarantine or kill");
  const model::OrderMatch& match = order.match;
  if (is_total(order) && !match.names_process())
    return fail(Errc::kInvalid,
                "whom? quarantine and kill need a process, agent, user, cgroup, "
                "container or executable");
  if (!match.names_process() && !match.names_destination() && !only_content(order) &&
      !forbids_more_than_network(order))
    return fail(Errc::kInvalid, "the order fits everything; name a process or a destination");
  if (match.process.pid != 0 && match.process.start.nanoseconds == 0)
    return fail(Errc::kInvalid, "a pid alone may be reused; give its start time as well");
  Rule rule;
  rule.order = order;
  AISPM_CHECK(compile_destinations(order, rule));
  if (!match.user.empty()) rule.uid = lookups_.uid_of(match.user);
  if (!match.cgroup.empty()) {
    rule.cgroup = lookups_.cgroup_of(match.cgroup);
    if (!rule.cgroup) return fail(Errc::kNotFound, "there is no cgroup " + match.cgroup);
  }
  const std::string owner(model::rule_of_order(order.id));
  const auto main = slots_.take({owner, 0});
  const auto exception = order.egress.empty() ? main : slots_.take({owner, 1});
  if (!main || !exception)
    return fail(Errc::kExhausted,
                "more than " + std::to_string(AISPM_RULES) + " orders are in force");
  rule.main = *main;
  if (!order.egress.empty()) rule.exception = *exception;
  return rule;
}

void Decider::add_subject(const Rule& rule, std::size_t bit) {
  const model::OrderMatch& match = rule.order.match;
  if (!match.names_process()) return set(tables_.sets.any_process, bit);
  const bool asks_process = match.process.pid != 0 || !match.agent_id.empty() ||
                            !match.container_id.empty() || !match.exe.empty();
  const bool is_alone = !match.user.empty() + !match.cgroup.empty() == 1;
  if (!asks_process && is_alone && rule.uid) return tables_.uids[*rule.uid].rules.set(bit);
  if (!asks_process && is_alone && rule.cgroup) return tables_.cgroups[*rule.cgroup].rules.set(bit);
  const bool is_path =
      !match.exe.empty() && match.exe.front() == '/' && policy::Glob(match.exe).is_name();
  const bool asks_only_exe = match.process.pid == 0 && match.agent_id.empty() &&
                             match.container_id.empty() && match.user.empty() &&
                             match.cgroup.empty();
  if (is_path && asks_only_exe) tables_.executables[match.exe].rules.set(bit);
}

void Decider::add_acts(const Rule& rule) {
  const Order& order = rule.order;
  aispm_rule_sets& sets = tables_.sets;
  const auto forbid = [&](std::size_t act) { set(sets.acts[act], rule.main); };
  if (is_total(order)) {
    for (std::size_t act = 0; act < AISPM_ACTS; ++act) forbid(act);
    set(sets.any_program, rule.main);
    if (order.action == OrderAction::kKill || order.kills) set(sets.kill, rule.main);
    return;
  }
  const bool is_network =
      order.match.names_destination() || !order.egress.empty() || !forbids_more_than_network(order);
  if (is_network && !only_content(order)) {
    forbid(AISPM_ACT_CONNECT);
    forbid(AISPM_ACT_HELLO);
  }
  if (!order.programs.empty() || !order.approved.empty()) forbid(AISPM_ACT_EXEC);
  for (const std::string& name : order.programs) tables_.programs[name].set(rule.main);
  for (const std::string& path : order.approved) tables_.approved[path].set(rule.main);
  if (!order.approved.empty()) set(sets.approved_only, rule.main);
  if (order.raw_sockets) forbid(AISPM_ACT_SOCKET);
  if (order.kernel_writes) forbid(AISPM_ACT_KERNEL_WRITE);
  if (order.tamper) forbid(AISPM_ACT_TAMPER);
  if (!order.write_folders.empty()) forbid(AISPM_ACT_WRITE);
  for (const std::string& path : order.write_folders) tables_.folders[path].set(rule.main);
}

void Decider::add_resolved(std::size_t bit, const std::vector<std::string>& names,
                           const std::vector<std::string>& globs, NameWord needed,
                           std::map<Prefix, RuleMask>& addresses) const {
  const auto is_meant = [&](const std::string& name) {
    return std::ranges::any_of(names, [&](const auto& one) { return is_below(name, one); }) ||
           std::ranges::any_of(globs,
                               [&](const auto& one) { return policy::glob_matches(one, name); });
  };
  const auto is_enough = [&](const auto& one) {
    return needed == NameWord::kAnybodys || one.second.is_hosts_word;
  };
  // An address that also serves other names is left to the hello, which says which one is meant.
  for (const auto& [address, known] : resolved_)
    if (std::ranges::any_of(known, is_enough) &&
        std::ranges::all_of(known, [&](const auto& one) { return is_meant(one.first); }))
      addresses[address].set(bit);
}

void Decider::add_destinations(const Rule& rule, std::map<Prefix, RuleMask>& addresses,
                               std::map<std::string, RuleMask>& names) {
  const model::OrderMatch& match = rule.order.match;
  aispm_rule_sets& sets = tables_.sets;
  const bool has_address = !rule.addresses.empty() || !rule.names.empty() || !rule.globs.empty();
  if (!has_address) set(sets.any_address, rule.main);
  for (const Prefix& prefix : rule.addresses) addresses[prefix].set(rule.main);
  for (const std::string& name : rule.names) names[name].set(rule.main);
  if (!rule.names.empty() || !rule.globs.empty())
    add_resolved(rule.main, rule.names, rule.globs, NameWord::kAnybodys, addresses);
  if (match.ports.empty()) set(sets.any_port, rule.main);
  for (const std::uint16_t port : match.ports) tables_.ports[port].set(rule.main);
  if (!rule.exception) return;
  set(sets.any_port, *rule.exception);
  for (const Prefix& prefix : rule.open) addresses[prefix].set(*rule.exception);
  for (const std::string& name : rule.open_names) names[name].set(*rule.exception);
  add_resolved(*rule.exception, rule.open_names, {}, NameWord::kHosts, addresses);
}

void Decider::add_rule(const Rule& rule) {
  const Order& order = rule.order;
  aispm_rule_sets& sets = tables_.sets;
  if (order.enforces) set(sets.enforce, rule.main);
  if (is_total(order)) set(sets.quarantine, rule.main);
  if (order.action == OrderAction::kAllow) set(sets.allow, rule.main);
  if (order.action == OrderAction::kBlock) set(sets.block, rule.main);
  if (order.refuses) set(sets.refuse, rule.main);
  add_subject(rule, rule.main);
  add_acts(rule);
  if (!rule.exception) return;
  set(sets.allow, *rule.exception);
  if (order.enforces) set(sets.enforce, *rule.exception);
  set(sets.acts[AISPM_ACT_CONNECT], *rule.exception);
  set(sets.acts[AISPM_ACT_HELLO], *rule.exception);
  add_subject(rule, *rule.exception);
}

void Decider::note_to_end(const model::ProcessId& id, const Subject& subject) {
  if (subject.is_protected) return;
  RuleMask total = subject.rules;
  total &= RuleMask{tables_.sets.enforce};
  total &= RuleMask{tables_.sets.quarantine};
  RuleMask killing = total;
  killing &= RuleMask{tables_.sets.kill};
  if (killing.any()) tables_.to_kill.insert(id);
  if (total != killing) tables_.to_cut.insert(id);
}

// Parents start before their children.
std::vector<std::pair<model::ProcessId, const Decider::Known*>> Decider::by_age() const {
  std::vector<std::pair<model::ProcessId, const Known*>> in_order;
  in_order.reserve(known_.size());
  for (const auto& [id, process] : known_) in_order.emplace_back(id, &process);
  std::ranges::sort(in_order, {}, [](const auto& one) { return one.first.start; });
  return in_order;
}

void Decider::rebuild_processes() {
  std::map<model::ProcessId, Subject> before = std::move(tables_.processes);
  tables_.processes.clear();
  RuleMask alive;
  for (const Rule& rule : rules_) {
    alive.set(rule.main);
    if (rule.exception) alive.set(*rule.exception);
  }
  for (const auto& [id, process] : by_age()) {
    Subject subject = judge(id, *process);
    if (const auto was = before.find(id); was != before.end()) {
      RuleMask kept = was->second.rules;
      kept &= alive;
      subject.rules |= kept;
    }
    if (subject.rules.any()) subject.is_protected = false;
    if (!subject.rules.any() && !subject.is_protected) continue;
    tables_.processes[id] = subject;
    note_to_end(id, subject);
  }
}

void Decider::rebuild() {
  std::map<model::ProcessId, Subject> processes = std::move(tables_.processes);
  tables_ = {};
  tables_.processes = std::move(processes);
  tables_.slots = slots_.table();
  tables_.protected_endpoints = protects_.endpoints;
  std::map<Prefix, RuleMask> addresses;
  std::map<std::string, RuleMask> names;
  for (const Rule& rule : rules_) {
    add_rule(rule);
    add_destinations(rule, addresses, names);
  }
  tables_.addresses = accumulate(addresses);
  tables_.names = accumulate(names);
  for (const std::string& path : protects_.executables)
    if (policy::Glob(path).is_name()) tables_.executables[path].is_protected = true;
  std::uint32_t& flags = tables_.sets.flags;
  if (!tables_.uids.empty()) flags |= AISPM_SETS_UID;
  if (!tables_.cgroups.empty()) flags |= AISPM_SETS_CGROUP;
  if (!tables_.names.empty()) flags |= AISPM_SETS_NAMES;
  if (wants_content_ || any(tables_.sets.quarantine)) flags |= AISPM_SETS_CUTS;
  if (!tables_.executables.empty()) flags |= AISPM_SETS_EXE;
  rebuild_processes();
}

const EnforceTables& Decider::tables() {
  if (is_stale_) {
    is_stale_ = false;
    rebuild();
  }
  return tables_;
}

void Decider::settle() {
  has_changed_ = false;
  slots_.release();
}

}  // namespace aispm::sensor
