// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sdk/core/detect/engine.hpp"
#include "sensor/decide/decider.hpp"
#include "sensor/decide/guard.hpp"
#include "sensor/enforce/enforcer.hpp"
#include "sensor/enforce/host_resolvers.hpp"
#include "sensor/enforce_config.hpp"

namespace aispm::sensor {

// Orders in force on this host: decides by them and has the kernel carry them out. On the pipeline
// thread, but for offer_orders().
class KernelGuard final : public Guard {
 public:
  struct Parts {
    EnforceConfig config;
    std::string collector;  // "host:port": stays reachable for everybody
    // Orders of a collector will be offered: what is pinned stays as it is until then.
    bool awaits_orders = false;
    DecideLookups lookups;
    // Rules that look into prompts; asked for with the first order that needs them.
    std::function<Result<std::shared_ptr<const detect::Engine>>()> make_engine;
    // A process by pid, for those that ran before an order came.
    std::function<std::optional<Exec>(std::uint32_t pid)> look_up;
    std::function<std::string(std::uint32_t uid)> user_name;
    // The agent that a process belongs to, or "".
    std::function<std::string(const model::ProcessId&)> agent_of;
    // Has the pipeline take the records about processes that wait, so that agent_of() knows of all
    // that was forked until now. Called by work(); may be empty.
    std::function<void()> drain_records = {};
  };
  // What the collector is told about each of its orders. An order is in force when the kernel has
  // read out who runs after its hooks were armed, and holds everybody whom the order is about. Of
  // whom a process left behind before the hooks were armed (no other order was in force) it holds
  // only those that a subreaper of the tree was given, as process 1 of a run is.
  struct OrderState {
    std::string order_id;
    std::string problem;  // empty = in force
  };
  using OnApplied = std::function<void(std::uint64_t version, std::vector<OrderState>)>;

  // Takes over what is pinned. Puts the local rules in force with the first work().
  static Result<std::unique_ptr<KernelGuard>> open(Parts parts);

  // Replaces the collector's orders; in force with the next work(). Any thread.
  void offer_orders(std::vector<model::Order> orders, std::uint64_t version);
  // Orders wait for work(). Any thread.
  bool has_offer();
  // Called by work() when offered orders are in force, or are after all. Set before the first
  // work().
  void on_applied(OnApplied callback) { on_applied_ = std::move(callback); }

  // Puts in force what changed, ends processes that are to end. Call after each batch of records.
  void work(WallTime now);
  // Rare work: files that were replaced, processes whose end was missed, an engine that could not
  // be made.
  void sweep();
  // The daemon was told to stop: pins stay or go, as configured.
  void stop();

  int poll_fd() const { return enforcer_->poll_fd(); }
  void drain(const Enforcer::OnBytes& on_bytes) { enforcer_->drain(on_bytes); }
  void add_health(model::ComponentHealth& health) const;

  void on_process(const model::Process& process, std::string_view agent) override;
  void on_exit(const model::ProcessId& process) override;
  void on_name(const SeenName& name) override;
  void on_prompt(const model::Process& process, std::string_view agent, std::uint64_t cookie,
                 const model::LlmCall& call, BootTime written) override;
  bool wants_text() const override { return decider_.wants_detections(); }
  std::optional<Effect> describe(const EnforcedAct& act, const model::Process& process) override;
  std::vector<Effect> take_effects() override;

 private:
  KernelGuard(Parts parts, std::unique_ptr<Enforcer> enforcer, Protected protects);
  static std::uint64_t microseconds_since(BootTime start);
  bool take_offer(WallTime now);
  void set_orders(WallTime now);
  Result<> put_in_force();
  Result<> follow_trees();
  Result<> know_running();
  struct Descent {
    model::ProcessId starter;  // pid 0: nobody who is known
    std::string agent;
  };
  Descent descent_of(const model::ProcessId& id) const;
  bool misses_some() const;
  void open_engine();
  void note_absent();
  void tell_states();
  void end_processes();
  std::vector<model::Detection> scan(const model::LlmCall& call);
  Effect make_effect(const model::Order& order, const model::Process& process, std::string action,
                     std::string target) const;
  model::Process describe_process(const model::ProcessId& id) const;
  void report_problem(const Error& error);

  Parts parts_;
  std::unique_ptr<Enforcer> enforcer_;
  Decider decider_;
  HostResolvers resolvers_;
  std::vector<Effect> effects_;
  OnApplied on_applied_;
  std::shared_ptr<const detect::Engine> engine_;
  std::optional<detect::Scratch> scratch_;
  std::set<model::ProcessId> ended_;  // killed or cut already
  std::map<std::string, std::string> problems_;
  std::set<std::string> placed_;  // orders about one process that was seen to run
  std::string apply_problem_;     // why nothing that was offered is in force
  std::string engine_problem_;    // of all orders that look into prompts
  std::string told_engine_problem_;
  BootTime next_try_;                // after a failure
  std::uint64_t lost_children_ = 0;  // that were looked for since
  bool misses_some_ = false;
  bool is_draining_ = false;
  std::string last_error_;
  bool was_set_ = false;
  std::uint64_t applied_version_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t scans_ = 0;
  std::uint64_t last_apply_us_ = 0;
  std::vector<model::Order> collector_orders_;

  std::mutex mutex_;  // guards the next two
  std::optional<std::vector<model::Order>> offered_;
  std::uint64_t offered_version_ = 0;
};

}  // namespace aispm::sensor
