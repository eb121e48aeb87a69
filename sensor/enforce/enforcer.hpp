// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sensor/enforce/kernel_map.hpp"
#include "sensor/enforce/pins.hpp"
#include "sensor/model/enforce_tables.hpp"

struct deny_bpf;
struct lsm_bpf;
struct ring_buffer;
extern "C" void ring_buffer__free(ring_buffer* ring);
void free_deny(deny_bpf* programs);
void free_lsm(lsm_bpf* programs);

namespace aispm::sensor {

struct EnforcerOptions {
  std::string pins = "/sys/fs/bpf/aispm";  // empty: nothing outlives the daemon
  std::string cgroup_root;                 // empty: the first cgroup2 of /proc/mounts
  bool uses_lsm = true;                    // where the kernel has BPF LSM
  model::ProcessId self;                   // pid 0: none; the start may be rounded
};

struct ListedProcess {
  model::ProcessId id;
  model::ProcessId parent;
  std::uint64_t cgroup_id = 0;
  std::uint32_t uid = 0;
};

// Sums over CPUs, since the maps were made (also by daemons before this one).
using Effects = std::array<std::uint64_t, AISPM_EFFECTS>;

// Rules in the kernel. Loads nothing before prepare() or the first rule, attaches nothing before
// the first rule. With pins all of it stays when the daemon dies; the next one takes it over. Lives
// on the pipeline thread.
class Enforcer {
 public:
  using OnBytes = std::function<void(std::span<const std::byte>)>;

  // Takes over what is pinned, if anything. Never fails because of pins alone: then health says why
  // and rules end with the daemon.
  static Result<std::unique_ptr<Enforcer>> open(const EnforcerOptions& options);
  ~Enforcer();

  // Has the kernel check the programs now, which takes a tenth of a second that a first order would
  // have to wait for. Hooks and pins come with the first rule.
  Result<> prepare();

  // The bits that pinned tables already use.
  const std::array<RuleSlot, AISPM_RULES>& slots() const { return slots_; }

  // Makes the kernel do what the tables say; the change counts as a whole, at one moment. On
  // failure the rules before stay in force.
  Result<> apply(const EnforceTables& tables);
  // One process came to belong to rules.
  Result<> add_process(const model::ProcessId& id, const Subject& subject);
  // Returns how many of them the kernel did not have as they are. kExhausted when there is no room
  // even without those that have ended.
  Result<std::size_t> add_processes(const EnforceTables& tables);
  // It has ended. Of whom it holds the kernel knows that by itself: this is for who was written to
  // it too late.
  Result<> forget(const model::ProcessId& id);
  // Forgets everybody who does not run; returns how many. Nobody where not all processes are seen.
  Result<std::size_t> remove_ended();
  // Who forked it, while the hooks were armed; it may have ended. Of the last ten thousand or so.
  std::optional<model::ProcessId> parent_of(const model::ProcessId& id) const;
  // Files may be other ones than when their rules were made.
  Result<> refresh_files(const EnforceTables& tables);

  // Everything that runs, with exact start times. Empty while nothing is loaded.
  Result<std::vector<ListedProcess>> list_processes() const;
  // SIGKILL, if it is still that process and neither pid 1 nor we. True when it was sent.
  bool kill(const model::ProcessId& id) const;
  // Data of this connection is dropped from now on; `is_enforced` false: only counted.
  Result<> cut(std::uint64_t cookie, const aispm_rule_mask& rules, bool is_enforced);
  // The same for every connection that the process has open, except to protected endpoints.
  // Returns how many.
  Result<std::size_t> cut_all(const model::ProcessId& id, const aispm_rule_mask& rules,
                              const EnforceTables& tables);

  // Ends all rules and what is pinned.
  Result<> remove();

  // A descriptor that polls readable when there are records; -1 before the first rule.
  int poll_fd() const;
  void drain(const OnBytes& on_bytes);

  bool is_loaded() const { return deny_ != nullptr; }
  Effects effects() const;
  // Children that rules were about and that found no room in the kernel.
  std::uint64_t lost_children() const { return effect(AISPM_EFFECT_LOST_CHILDREN); }
  std::map<std::string, std::string> features() const;
  // Why less is enforced than orders ask for, each with what to do.
  std::vector<std::string> reasons() const;
  // Links that were pinned when we came.
  std::size_t found_links() const { return found_links_; }

 private:
  struct FreeDeny {
    void operator()(deny_bpf* programs) const { free_deny(programs); }
  };
  struct FreeLsm {
    void operator()(lsm_bpf* programs) const { free_lsm(programs); }
  };
  using Link = CPtr<bpf_link, bpf_link__destroy>;

  explicit Enforcer(EnforcerOptions options) : options_(std::move(options)) {}
  void open_pins();
  Result<> load();
  Result<> load_programs();
  Result<> keep_maps();
  Result<bool> write_process(const model::ProcessId& id, const Subject& subject);
  Result<> load_lsm();
  Result<> open_maps();
  Result<> read_slots();
  Result<> attach_needed(const EnforceTables& tables);
  Result<> attach_lsm(const EnforceTables& tables);
  bpf_object* lsm_object() const;
  bpf_object* deny_object() const;
  Result<> attach_hook(const std::string& name, bool is_needed);
  Result<> write_slots(const EnforceTables& tables, bool only_taken);
  Result<> flip(aispm_rule_sets sets);
  Result<> clear_freed(const EnforceTables& tables);
  Result<std::size_t> sweep_freed(const EnforceTables& tables);
  Result<std::map<std::string, std::string>> read_processes() const;
  std::optional<aispm_origin> origin_of(const model::ProcessId& id) const;
  std::uint64_t effect(std::uint32_t which) const;
  int map(const char* name) const;

  EnforcerOptions options_;
  std::vector<std::string> reasons_;
  std::string why_no_lsm_ = "not asked for";
  std::string lsm_reason_;  // set while a rule needs what LSM would do
  std::optional<Pins> pins_;
  bool were_pins_tried_ = false;
  bool are_maps_kept_ = false;
  std::size_t found_links_ = 0;
  std::array<RuleSlot, AISPM_RULES> slots_{};
  std::unique_ptr<deny_bpf, FreeDeny> deny_;
  std::unique_ptr<lsm_bpf, FreeLsm> lsm_;
  UniqueFd cgroup_;
  std::map<std::string, Link> links_;
  std::map<std::string, KernelMap> tables_;  // all but processes
  OnBytes on_bytes_;
  CPtr<ring_buffer, ring_buffer__free> ring_;
};

}  // namespace aispm::sensor
