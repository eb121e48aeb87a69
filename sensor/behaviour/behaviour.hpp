// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/behaviour/agent_trees.hpp"
#include "sensor/behaviour/baseline.hpp"
#include "sensor/behaviour/rules.hpp"
#include "sensor/behaviour/secret_finder.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// What agents do: whose process it is, which rules it touches, what it never did before. Each
// answer is a list of detections for the event that caused it. Not thread-safe; no I/O but through
// what it is given.
class Behaviour {
 public:
  using Detections = std::vector<model::Detection>;
  struct Parts {
    BehaviourRules rules;
    std::chrono::seconds learning{86'400};
    std::optional<SecretFinder> secrets;  // nullopt: arguments and environments are not looked at
    AgentTrees::OnJoin on_join;
    // Running descendants of a process.
    std::function<std::vector<model::ProcessId>(const model::ProcessId&)> descendants;
    // /proc/PID/environ; "" when it is gone.
    std::function<Secret(const model::ProcessId&)> environment;
  };
  explicit Behaviour(Parts parts);

  std::string_view agent_of(const model::ProcessId& process) const {
    return trees_.agent_of(process);
  }
  // The process is an agent; `signature_name` as for agent_name(). Gives what its environment and
  // that of no other process holds; empty when it was an agent's before.
  Detections adopt(const model::Process& process, std::string_view signature_name);

  // Takes secrets out of the arguments of any process.
  Detections redact_arguments(std::vector<std::string>& arguments);
  Detections on_exec(const model::Process& process, WallTime now);
  Detections on_connect(const model::Process& process, const model::SocketConnect& connect,
                        BootTime time, WallTime now);
  Detections on_raw_socket(const model::Process& process, const RawSocket& socket);
  struct File {
    model::FileAccess access;
    Detections detections;
  };
  // nullopt: nobody needs to know.
  std::optional<File> on_open(const model::Process& process, const FileOpen& open, WallTime now);
  void on_fork(const AgentFork& fork) { trees_.on_fork(fork.actor.id, fork.child); }
  void on_exit(const model::ProcessId& process) { trees_.on_exit(process); }

  Baselines& baselines() { return baselines_; }
  bool has_agents() const { return trees_.size() > 0; }
  void add_health(model::ComponentHealth& health) const;

 private:
  void note_news(Detections& out, std::string_view agent, BaselineKind kind, std::string_view item,
                 WallTime now);
  Detections find_in_environment(const model::Process& process, std::string_view agent);

  Parts parts_;
  AgentTrees trees_;
  Baselines baselines_;
  ConnectionRate rate_;
  std::map<std::string, std::set<std::string>, std::less<>> told_secrets_;  // by agent
  std::uint64_t told_ = 0;
};

}  // namespace aispm::sensor
