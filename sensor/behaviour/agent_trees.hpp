// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Which processes belong to which agent: an agent's first process and all it starts, however they
// detach (fork, setsid, double fork). The kernel follows forks by itself once it knows a process;
// this keeps the names. Not thread-safe: lives on the pipeline thread.
class AgentTrees {
 public:
  static constexpr std::size_t kMaxProcesses = 65536;

  // A process joined: the kernel is to be told. `agent` is its tree's number, never 0.
  using OnJoin = std::function<void(const model::ProcessId& process, std::uint32_t agent)>;
  explicit AgentTrees(OnJoin on_join) : on_join_(std::move(on_join)) {}

  // Makes the process and its running descendants an agent called `name` ("alice/codex"). Does
  // nothing for one that belongs to an agent already: an agent's helper is no agent of its own.
  // False when the table is full (counted).
  bool adopt(const model::ProcessId& process, std::string name,
             const std::vector<model::ProcessId>& descendants);
  // The child belongs to its parent's agent. Unknown parents are ignored.
  void on_fork(const model::ProcessId& parent, const model::ProcessId& child);
  // For children whose fork was not told: the same by parent.
  void on_exec(const model::Process& process);
  void on_exit(const model::ProcessId& process);

  // Name of the agent the process belongs to; "" for none. Valid until the next change.
  std::string_view agent_of(const model::ProcessId& process) const;
  // Processes of agents that run.
  std::size_t size() const { return members_.size(); }
  std::size_t agents() const { return names_.size(); }
  std::uint64_t refused() const { return refused_; }

 private:
  struct Agent {
    std::string name;
    std::size_t processes = 0;
  };

  bool join(const model::ProcessId& process, std::uint32_t agent);
  std::map<model::ProcessId, std::uint32_t>::const_iterator find(
      const model::ProcessId& process) const;

  OnJoin on_join_;
  std::map<model::ProcessId, std::uint32_t> members_;
  std::map<std::uint32_t, Agent> names_;
  std::uint32_t last_ = 0;
  std::uint64_t refused_ = 0;
};

// "alice/codex": the user and what the program calls itself: the signature's name in lower case
// with dashes where there is one, else the script an interpreter runs, else the executable.
std::string agent_name(const model::Process& process, std::string_view signature_name);

}  // namespace aispm::sensor
