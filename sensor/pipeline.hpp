// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/behaviour/behaviour.hpp"
#include "sensor/classify/classifier.hpp"
#include "sensor/classify/flow_rules.hpp"
#include "sensor/correlate/correlator.hpp"
#include "sensor/correlate/name_tracker.hpp"
#include "sensor/correlate/segment_order.hpp"
#include "sensor/correlate/stdio_book.hpp"
#include "sensor/decide/guard.hpp"
#include "sensor/inventory_stage.hpp"
#include "sensor/model/records.hpp"
#include "sensor/report/event_sink.hpp"
#include "sensor/report/process_table.hpp"

namespace aispm::sensor {

// What happens to everything that capture sees: decode -> correlate -> classify -> report. No I/O
// but through what it is given. Not thread-safe: lives on the pipeline thread.
class Pipeline {
 public:
  struct Parts {
    EventSink& sink;
    Classifier classifier;
    ProcessTable::LookUp look_up;  // a running process in /proc
    ProcessTable::UserName user_name;
    std::function<void(std::uint32_t pid)> on_started;  // a process was started
    bool keep_text = false;                             // prompt and reply text in events
    std::vector<GatewayPlace> gateways = {};            // where sanctioned calls go
    Behaviour behaviour = Behaviour({});
    std::function<void(std::uint16_t port)> on_own_listen = {};  // this very process listened
    std::uint32_t own_pid = 0;
    InventoryStage::Options inventory = {};
    ProcessTable::FillContainer fill_container = {};           // may be empty
    std::function<void(std::uint32_t pid)> on_listening = {};  // a process listens; may be empty
    Guard* guard = nullptr;
    // What capture does for servers that are found, and what it knows of them.
    std::function<ProcessId(const StdioFound&)> on_stdio = [](const StdioFound&) {
      return ProcessId{};
    };
    std::function<void(std::uint32_t pid)> drop_stdio = [](std::uint32_t) {};
    std::function<void(std::uint16_t port)> on_model_server = [](std::uint16_t) {};
  };
  explicit Pipeline(Parts parts);
  // Our programs that open a sandbox's doors (gateway, DNS stub) inside it, by path. Before the
  // first record.
  void set_launchers(std::set<std::string> paths) { launchers_ = std::move(paths); }

  // A record of the kernel's, valid during the call.
  void take_bytes(std::span<const std::byte> bytes);
  void take_record(Record record);
  // What discovery found.
  void take_found(Found found);
  // Everything that was waiting is taken. The rings are not in order with each other, so ends of
  // processes and sockets are held back until the plaintext and the names seen before them were
  // taken; at most kMaxHeldBack of each.
  static constexpr std::size_t kMaxHeldBack = 65536;
  void end_batch();
  // Periodic work; call about once a second.
  void tick(BootTime now);
  // Something was done to the sensor by nobody known.
  void take_tamper(BootTime time, model::Tamper tamper);
  // Enforcement, where there is any; outlives the pipeline.
  void use_guard(Guard* guard) { parts_.guard = guard; }
  // For what the caller keeps of it between runs.
  Behaviour& behaviour() { return parts_.behaviour; }

  // Reports the calls in flight as they are.
  void finish(BootTime now);

  // Adds losses and counters.
  void add_health(model::ComponentHealth& health) const;

 private:
  // What /proc says, without secrets.
  std::optional<Exec> look_up(std::uint32_t pid);
  void take(const Exec& exec);
  void take(Exit exit);
  void take(const Listen& listen);
  bool is_sandbox_door(const Actor& actor);
  void take(const Connect& connect);
  void take(StreamChunk chunk);
  void take(const StreamClose& close);
  void take(const LossSnapshot& snapshot);
  void take(SocketBytes bytes);
  void take(const SeenName& name);
  void take(const NameBytes& bytes);
  void take(const StdioFound& found);
  void take(const TlsLibraryFact& fact);
  void take(const AgentFork& fork);
  void take(const FileOpen& open);
  void take(const RawSocket& socket);
  void take(const SignalToUs& signal);
  void take(const EnforcedAct& act);
  void judge_prompt(const model::LlmCall& call, const Party& party, const model::Process& process);
  void tell_guard(const model::Process& process);
  void report_effect(Effect effect);
  void take_observation(Observation seen);
  void take_coverage(Coverage::Report seen);
  void report_model_use(const Observation& seen, const model::Process& process);
  std::optional<model::Process> process_of(const Actor& actor);
  std::string program_of(const Actor& actor);
  void end_held_back();
  void report_totals(const SocketBytes& bytes);
  void report_exit(const Exit& exit);

  template <typename Body>
  void report(BootTime time, const model::Process& process, Body body,
              std::vector<model::Detection> detections = {});
  std::vector<model::Detection> adopt(const model::Process& process, const model::AiUse& use);
  void report_use(BootTime time, const model::Process& process, std::optional<model::AiUse> use,
                  std::string route = {});
  void report_found(model::Event event);
  model::Process describe_scanned(model::Process scanned);

  Parts parts_;
  std::set<std::string> launchers_;
  ProcessTable processes_;
  Correlator correlator_;
  InventoryStage inventory_;
  NameTracker names_;
  NameNews name_news_;
  SegmentOrder segments_;
  StdioBook stdio_;
  BurstRule bursts_;
  ClockConverter clock_;
  std::vector<Exit> exits_;
  std::vector<SocketBytes> closes_;
  std::uint64_t malformed_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t llm_calls_ = 0;
  std::uint64_t agent_calls_ = 0;
  BootTime last_written_;  // plaintext: when its call returned
};

}  // namespace aispm::sensor
