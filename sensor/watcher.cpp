// SPDX-License-Identifier: Apache-2.0
#include "sensor/watcher.hpp"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <utility>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/detection_rules.hpp"
#include "sensor/enforce/host.hpp"
#include "sensor/own_memory.hpp"
#include "sensor/version.hpp"

namespace aispm::sensor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestWait{250};
constexpr std::chrono::milliseconds kLookInterval{1000};  // how soon a change of health is told
constexpr std::chrono::seconds kSweepInterval{15};

constexpr std::chrono::seconds kSaveInterval{60};
constexpr std::chrono::seconds kReleaseInterval{60};
constexpr std::chrono::seconds kStarting{20};  // the first scans of processes and libraries

// aispm-run and aispm-pool beside this program: a folder that only root may write to.
std::set<std::string> find_launchers() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto folder = self.parent_path();
  return {(folder / "aispm-run").string(), (folder / "aispm-pool").string()};
}

}  // namespace

Pipeline::Parts Watcher::make_parts(const Config& config, Capture& capture, EventSink& sink,
                                    UserNames& users, TamperWatch& tamper, DiscoveryFeed& discovery,
                                    Loaded loaded) {
  Registry registry;
  registry.executables = config.sanctioned_executables;
  Behaviour::Parts behaviour;
  behaviour.rules = std::move(loaded.rules);
  behaviour.learning = config.baseline_learning;
  behaviour.secrets = std::move(loaded.secrets);
  behaviour.on_join = [&capture](const model::ProcessId& process, std::uint32_t agent) {
    // Started by an agent's shell, we read of every process: that is not the agent's doing.
    if (process.pid == static_cast<std::uint32_t>(::getpid())) return;
    capture.follow_agent(process, agent);
    capture.watch_files(true);
  };
  behaviour.descendants = [](const model::ProcessId& root) { return list_descendants(root.pid); };
  behaviour.environment = [](const model::ProcessId& process) {
    return read_environment(process.pid, SecretFinder::kMaxEnvironmentBytes);
  };
  Pipeline::Parts parts{sink,
                        Classifier(std::move(loaded.signatures), std::move(registry)),
                        read_process,
                        [&users](std::uint32_t uid) { return users(uid); },
                        [&capture](std::uint32_t pid) { capture.follow(pid); },
                        config.store_text,
                        config.gateways,
                        Behaviour(std::move(behaviour)),
                        [&tamper](std::uint16_t port) { tamper.on_own_listen(port); },
                        static_cast<std::uint32_t>(::getpid())};
  parts.on_stdio = [&capture](const StdioFound& found) { return capture.follow_stdio(found); };
  parts.drop_stdio = [&capture](std::uint32_t pid) { capture.drop_stdio(pid); };
  parts.on_model_server = [&capture](std::uint16_t port) { capture.capture_port(port); };
  discovery.connect(config, parts);
  return parts;
}

Watcher::Watcher(const Config& config, std::unique_ptr<Capture> capture,
                 std::unique_ptr<EventSink> sink, Loaded loaded)
    : health_interval_(config.health_interval),
      capture_(std::move(capture)),
      sink_(std::move(sink)),
      state_(config.state_folder),
      discovery_(config, loaded.signatures, std::move(loaded.host_key)),
      pipeline_(make_parts(config, *capture_, *sink_, user_names_, tamper_, discovery_,
                           std::move(loaded))) {
  pipeline_.set_launchers(find_launchers());
}

Result<std::unique_ptr<Watcher>> Watcher::open(const Config& config,
                                               std::unique_ptr<Capture> capture,
                                               std::unique_ptr<EventSink> sink,
                                               bool awaits_orders) {
  AISPM_TRY(Signatures signatures, config.signatures.empty() ? Signatures::builtin()
                                                             : Signatures::load(config.signatures));
  Loaded loaded{std::move(signatures), {}, {}, {}};
  AISPM_TRY(loaded.rules, config.behaviour_rules.empty()
                              ? BehaviourRules::builtin()
                              : BehaviourRules::load(config.behaviour_rules));
  if (config.finds_secrets) {
    AISPM_TRY(loaded.host_key, HostState(config.state_folder).hash_key());
    AISPM_TRY(loaded.secrets, SecretFinder::open(loaded.host_key));
    AISPM_TRY(sink, make_scrubbing_sink(std::move(sink), loaded.secrets->engine()));
  }
  const Signatures names = loaded.signatures;
  std::unique_ptr<Watcher> watcher(
      new Watcher(config, std::move(capture), std::move(sink), std::move(loaded)));
  watcher->open_guard(config, names, awaits_orders);
  if (const auto restored = watcher->state_.restore(watcher->pipeline_.behaviour().baselines());
      !restored)
    log::error("baselines.restore", restored.error());
  watcher->enforce();  // rules of the configuration are in force before anything is said to run
  return watcher;
}

void Watcher::open_guard(const Config& config, const Signatures& signatures, bool awaits_orders) {
  if (config.enforce.is_off || config.capture == CaptureMode::kProc) {
    why_no_guard_ = "no order is obeyed: `enforce: mode: off` or `capture: proc` is configured";
    return;
  }
  KernelGuard::Parts parts;
  parts.config = config.enforce;
  parts.collector = config.collector;
  parts.awaits_orders = awaits_orders;
  parts.lookups = {
      find_uid, [](const std::string& path) { return find_cgroup(find_cgroup_root(), path); },
      [signatures](const std::string& provider) { return signatures.hosts_of(provider); }};
  parts.make_engine = [folder = config.enforce.detect_rules] { return make_prompt_engine(folder); };
  parts.look_up = read_process;
  parts.user_name = [this](std::uint32_t uid) { return user_names_(uid); };
  parts.agent_of = [this](const model::ProcessId& process) {
    return std::string(pipeline_.behaviour().agent_of(process));
  };
  parts.drain_records = [this] {
    const auto done = capture_->drain_control(
        [this](std::span<const std::byte> bytes) { pipeline_.take_bytes(bytes); });
    if (!done) log::warn("control.read", {{"why", done.error().message}});
  };
  auto guard = KernelGuard::open(std::move(parts));
  if (!guard) {
    why_no_guard_ = "no order can be enforced: " + guard.error().message;
    return;
  }
  guard_ = std::move(*guard);
  pipeline_.use_guard(guard_.get());
}

void Watcher::offer_orders(std::vector<model::Order> orders, std::uint64_t version) {
  if (!guard_) return;
  guard_->offer_orders(std::move(orders), version);
  capture_->wake();
}

void Watcher::on_orders_applied(KernelGuard::OnApplied callback) {
  if (guard_) guard_->on_applied(std::move(callback));
}

// What the kernel refused is told; what changed in orders and processes is put in force.
void Watcher::enforce() {
  if (!guard_) return;
  guard_->drain([this](std::span<const std::byte> bytes) { pipeline_.take_bytes(bytes); });
  guard_->work(wall_now());
  if (guard_->poll_fd() == watched_ring_) return;
  watched_ring_ = guard_->poll_fd();
  if (const auto done = capture_->watch(watched_ring_); !done)
    log::warn("enforce.ring", {{"why", done.error().message}});
}

Result<> Watcher::run() {
  discovery_.start();
  next_release_ = Clock::now() + kStarting;
  report_health(make_health());
  while (!stops_) {
    AISPM_CHECK(capture_->wait(kLongestWait));
    AISPM_CHECK(take_all());
    do_periodic_work();
  }
  AISPM_CHECK(take_all());
  pipeline_.finish(boot_now());
  if (guard_) guard_->stop();
  if (const auto saved = state_.save(pipeline_.behaviour().baselines()); !saved)
    log::error("baselines.save", saved.error());
  report_health(make_health());
  return {};
}

void Watcher::stop() {
  stops_ = true;
  capture_->wake();
}

Result<> Watcher::take_all() {
  const auto on_bytes = [this](std::span<const std::byte> bytes) { pipeline_.take_bytes(bytes); };
  const auto on_record = [this](Record record) { pipeline_.take_record(std::move(record)); };
  bool has_more = true;
  while (has_more) {
    AISPM_TRY(has_more, capture_->drain(on_bytes, on_bytes, on_record));
    do_periodic_work();                            // also when there is no end of records
    if (guard_ && guard_->has_offer()) enforce();  // a freeze does not wait for that end either
  }
  enforce();
  pipeline_.end_batch();
  return {};
}

void Watcher::do_periodic_work() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLookInterval;
  discovery_.feed(pipeline_);
  pipeline_.tick(boot_now());
  look_after_agents();
  look_after_memory();
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepInterval;
    capture_->sweep();
    if (guard_) guard_->sweep();
  }
  model::ComponentHealth health = make_health();
  const bool has_changed = health.reasons != reported_reasons_ || health.losses != reported_losses_;
  if (has_changed || now >= next_health_) report_health(std::move(health));
}

void Watcher::look_after_agents() {
  capture_->watch_files(pipeline_.behaviour().has_agents());
  for (model::Tamper& found : tamper_.look(capture_->sees_sockets())) {
    log::warn("tamper", {{"kind", found.kind}, {"target", found.target}, {"what", found.detail}});
    pipeline_.take_tamper(boot_now(), std::move(found));
  }
  const auto now = Clock::now();
  if (now < next_save_) return;
  next_save_ = now + kSaveInterval;
  if (const auto saved = state_.save(pipeline_.behaviour().baselines()); !saved)
    log::warn("baselines.save", {{"why", saved.error().message}});
}

void Watcher::look_after_memory() {
  const auto now = Clock::now();
  if (now < next_release_) return;
  next_release_ = now + kReleaseInterval;
  if (std::exchange(has_started_, true))
    release_freed_memory();
  else
    release_starting_memory();
}

model::ComponentHealth Watcher::make_health() const {
  const CaptureHealth seen = capture_->health();
  model::ComponentHealth health;
  health.component = "sensord";
  health.version = kVersion;
  health.reasons = seen.reasons;
  health.features = seen.features;
  health.counters = seen.counters;
  for (const auto& [cause, loss] : decode_losses(boot_now(), seen.losses).causes) {
    health.losses[cause] = loss.records;
    if (loss.bytes > 0) health.losses[cause + ".bytes"] = loss.bytes;
  }
  pipeline_.add_health(health);
  discovery_.add_health(health);
  if (guard_)
    guard_->add_health(health);
  else
    health.features["enforce"] = "no: " + why_no_guard_;
  health.state = health.reasons.empty() ? "ok" : "degraded";
  return health;
}

void Watcher::report_health(model::ComponentHealth health) {
  next_health_ = Clock::now() + health_interval_;
  if (health.reasons != reported_reasons_) {
    reported_reasons_ = health.reasons;
    for (const std::string& reason : health.reasons)
      log::warn("health.degraded", {{"why", reason}});
    if (health.reasons.empty()) log::info("health.ok");
  }
  for (const auto& [cause, count] : health.losses)
    if (count > reported_losses_[cause]) log::warn("lost", {{"cause", cause}, {"total", count}});
  reported_losses_ = health.losses;
  model::Event event;
  event.time = wall_now();
  event.source = model::Source::kSensor;
  event.body = std::move(health);
  sink_->offer(std::move(event));
}

}  // namespace aispm::sensor
