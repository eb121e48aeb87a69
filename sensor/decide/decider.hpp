// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/model/order.hpp"
#include "sensor/decide/slots.hpp"
#include "sensor/model/enforce_tables.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// What decide asks about the world; each answer may be nothing. No I/O of decide's own.
struct DecideLookups {
  std::function<std::optional<std::uint32_t>(const std::string& user)> uid_of;
  std::function<std::optional<std::uint64_t>(const std::string& path)> cgroup_of;
  // Host names of a provider; "*.example.com" for all below it.
  std::function<std::vector<std::string>(const std::string& provider)> hosts_of;
};

// Who and what no order can touch; pid 1 and the sensor itself beside these, always.
struct Protected {
  std::vector<std::string> executables;   // paths or globs; only while run by a system account
  std::set<ProtectedEndpoint> endpoints;  // port 0 is not allowed
};

// Turns orders and what is known about processes and names into the contents of the kernel's
// tables, and keeps them true as processes start and names resolve. Pure. Not thread-safe.
class Decider {
 public:
  static constexpr std::size_t kMaxProcesses = 65536;
  static constexpr std::size_t kMaxResolved = 16384;  // addresses that names led to
  static constexpr std::uint32_t kFirstPersonUid = 1000;

  // A process of the host, as orders see it.
  struct Known {
    model::ProcessId parent;
    // Who started it, or the next one before that who is known, where it was given to another
    // parent since. pid 0: not known.
    model::ProcessId starter;
    std::uint32_t uid = 0;
    std::string user;
    std::string exe;
    std::string agent_id;
    std::string container_id;
    std::uint64_t cgroup_id = 0;
  };
  // What plaintext was found to hold, and what to do about it.
  struct Verdict {
    const model::Order* order = nullptr;
    bool kills = false;
  };

  Decider(DecideLookups lookups, Protected protects, const Slots::Table& known_slots = {});

  // Replaces all orders; expired ones are left out. Returns what cannot be enforced, by order id.
  std::map<std::string, std::string> set_orders(std::vector<model::Order> orders, WallTime now);
  // Whether an order has expired since; then set_orders again.
  bool has_expired(WallTime now) const {
    return next_expiry_.nanoseconds != 0 && now >= next_expiry_;
  }

  // What a process's start changed: nothing that the kernel does not know by itself, or more rules
  // than its parent has, which its running children then have too.
  enum class Change : std::uint8_t { kNone, kOwn, kGained };
  // A process started or was found.
  Change on_process(const model::ProcessId& id, Known process);
  void on_exit(const model::ProcessId& id);
  // Gives every known process the rules of its parent and of its starter. Whoever is looked at
  // later than its children (on_process) has not handed down anything yet.
  void hand_down();
  // Whether it was told of by on_process() and has not ended; the start may be rounded.
  bool is_running(const model::ProcessId& id) const;
  // Whose word it is that a name leads to an address: a client's or any resolver's, or that of a
  // resolver of this host.
  enum class NameWord : std::uint8_t { kAnybodys, kHosts };
  // A name resolved to, or was used with, these addresses. Anybody's word is enough to block; what
  // a rule allows by its name is opened by the host's own resolvers alone.
  void on_name(const std::string& name, const std::vector<Address>& addresses, BootTime now,
               NameWord word);

  // A call of a model was seen in plaintext. The strongest order that forbids it.
  std::optional<Verdict> judge_call(const model::ProcessId& id, const model::LlmCall& call,
                                    const std::vector<model::Detection>& detections) const;
  // Some order looks into prompts.
  bool wants_detections() const { return wants_detections_; }
  bool wants_content() const { return wants_content_; }
  // Some order asks for agents.
  bool wants_agents() const;

  // True since the last settle() when tables() differ in more than processes.
  bool has_changed() const { return has_changed_; }
  const EnforceTables& tables();
  // The kernel holds tables() now and nothing else.
  void settle();

  bool has_orders() const { return !rules_.empty(); }
  // The order whose bit this is; of several the first. Nullptr when it is gone.
  const model::Order* order_of(const aispm_rule_mask& rules) const;
  // The bit of an order; none when it is gone.
  RuleMask rule_of(const std::string& order_id) const;
  // What on_process() was told last; nullptr for strangers.
  const Known* known(const model::ProcessId& id) const;
  const Subject* subject_of(const model::ProcessId& id) const;

 private:
  struct Rule {
    model::Order order;
    std::size_t main = 0;
    std::optional<std::size_t> exception;  // of an egress list
    std::vector<Prefix> addresses;
    std::vector<std::string> names;
    std::vector<std::string> globs;  // of names
    std::vector<Prefix> open;        // egress: what stays allowed
    std::vector<std::string> open_names;
    std::optional<std::uint32_t> uid;  // the only thing asked about the process
    std::optional<std::uint64_t> cgroup;
  };

  Result<Rule> compile(const model::Order& order);
  Result<> compile_destinations(const model::Order& order, Rule& rule) const;
  void sort_rules();
  std::vector<std::pair<model::ProcessId, const Known*>> by_age() const;
  bool fits(const Rule& rule, const model::ProcessId& id, const Known& process) const;
  RuleMask rules_of(const model::ProcessId& id, const Known& process) const;
  RuleMask inherited(const Known& process) const;
  bool is_protected(const Known& process) const;
  Subject judge(const model::ProcessId& id, const Known& process) const;
  void rebuild();
  void rebuild_processes();
  void add_rule(const Rule& rule);
  void add_acts(const Rule& rule);
  void add_destinations(const Rule& rule, std::map<Prefix, RuleMask>& addresses,
                        std::map<std::string, RuleMask>& names);
  void add_subject(const Rule& rule, std::size_t bit);
  struct Sighting {
    BootTime last;
    bool is_hosts_word = false;
  };
  void add_resolved(std::size_t bit, const std::vector<std::string>& names,
                    const std::vector<std::string>& globs, NameWord needed,
                    std::map<Prefix, RuleMask>& addresses) const;
  void note_to_end(const model::ProcessId& id, const Subject& subject);

  DecideLookups lookups_;
  Protected protects_;
  Slots slots_;
  std::vector<Rule> rules_;
  // Indices of rules_, for those that ask more about a process than the kernel knows: those about
  // one process by its pid (there may be one for each run on the host), and the others.
  std::multimap<std::uint32_t, std::size_t> rules_by_pid_;
  std::vector<std::size_t> rules_for_all_;
  std::map<model::ProcessId, Known> known_;
  std::map<Prefix, std::map<std::string, Sighting>> resolved_;
  EnforceTables tables_;
  WallTime next_expiry_;
  bool has_changed_ = false;
  bool is_stale_ = false;
  bool wants_detections_ = false;
  bool wants_content_ = false;
};

}  // namespace aispm::sensor
