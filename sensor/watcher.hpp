// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sensor/capture/capture.hpp"
#include "sensor/capture/tamper_watch.hpp"
#include "sensor/config.hpp"
#include "sensor/discovery_feed.hpp"
#include "sensor/host_state.hpp"
#include "sensor/kernel_guard.hpp"
#include "sensor/pipeline.hpp"
#include "sensor/report/event_sink.hpp"
#include "sensor/report/user_names.hpp"

namespace aispm::sensor {

// The sensor at work: moves what capture sees through the pipeline, and tells how it is doing.
class Watcher {
 public:
  // Fails on signatures that cannot be read.
  // `awaits_orders`: offer_orders() will be called.
  static Result<std::unique_ptr<Watcher>> open(const Config& config,
                                               std::unique_ptr<Capture> capture,
                                               std::unique_ptr<EventSink> sink, bool awaits_orders);

  // Works until stop(). Fails only when capture itself fails.
  Result<> run();
  // Any thread.
  void stop();
  // Orders of the collector; in force within milliseconds. Any thread.
  void offer_orders(std::vector<model::Order> orders, std::uint64_t version);
  // Called on run()'s thread when offered orders are in force. Set before run().
  void on_orders_applied(KernelGuard::OnApplied callback);

 private:
  // What open() reads from files.
  struct Loaded {
    Signatures signatures;
    BehaviourRules rules;
    std::optional<SecretFinder> secrets;
    Secret host_key;  // of hashes; empty when secrets are not looked for
  };
  Watcher(const Config& config, std::unique_ptr<Capture> capture, std::unique_ptr<EventSink> sink,
          Loaded loaded);
  static Pipeline::Parts make_parts(const Config& config, Capture& capture, EventSink& sink,
                                    UserNames& users, TamperWatch& tamper, DiscoveryFeed& discovery,
                                    Loaded loaded);
  void look_after_agents();
  void look_after_memory();
  void open_guard(const Config& config, const Signatures& signatures, bool awaits_orders);
  void enforce();
  Result<> take_all();
  void do_periodic_work();
  void report_health(model::ComponentHealth health);
  model::ComponentHealth make_health() const;

  const std::chrono::milliseconds health_interval_;
  std::unique_ptr<Capture> capture_;
  std::unique_ptr<EventSink> sink_;
  UserNames user_names_;
  HostState state_;
  std::unique_ptr<KernelGuard> guard_;  // null: enforcement is off or not possible
  std::string why_no_guard_;
  int watched_ring_ = -1;
  TamperWatch tamper_;
  DiscoveryFeed discovery_;
  Pipeline pipeline_;

  std::atomic<bool> stops_ = false;
  std::chrono::steady_clock::time_point next_health_;
  std::chrono::steady_clock::time_point next_look_;
  std::chrono::steady_clock::time_point next_sweep_;
  std::chrono::steady_clock::time_point next_save_;
  std::chrono::steady_clock::time_point next_release_;
  bool has_started_ = false;
  std::map<std::string, std::uint64_t> reported_losses_;
  std::vector<std::string> reported_reasons_;
};

}  // namespace aispm::sensor
