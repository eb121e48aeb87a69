// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"
#include "sensor/model/same_start.hpp"

namespace aispm::sensor {

// Who is who: every process seen, by pid and start time, and for a while after its end, because its
// last plaintext is worked on after its exit. Not thread-safe: lives on the pipeline thread.
class ProcessTable {
 public:
  static constexpr std::size_t kMaxProcesses = 65536;
  static constexpr std::chrono::seconds kKeepEnded{30};

  // Looks a running process up (in /proc); nothing when it is gone. Passed in so that tests own the
  // answer.
  using LookUp = std::function<std::optional<Exec>(std::uint32_t pid)>;
  using UserName = std::function<std::string(std::uint32_t uid)>;
  // Fills in the container a process is in; may be empty.
  using FillContainer = std::function<void(model::Process& process)>;
  ProcessTable(LookUp look_up, UserName user_name, FillContainer fill_container = {})
      : look_up_(std::move(look_up)),
        user_name_(std::move(user_name)),
        fill_container_(std::move(fill_container)) {}

  // The process as it is after this exec; the caller may take out of it what must not be kept.
  model::Process& learn(const Exec& exec);
  // A child that may never do an exec is a copy of its parent.
  void learn_fork(const Actor& parent, const ProcessId& child);
  // The program of a process, as its exec said, else as /proc says; "" when neither knows it.
  std::string exe_of(const ProcessId& id) const;
  // What is known about the actor of any record: from its exec, else from /proc, else from the
  // record alone.
  const model::Process& describe(const Actor& actor);
  // As describe(), for results that name only a process; nothing when it was never seen.
  const model::Process* find(const ProcessId& id) const;
  // The same by pid and a start time of /proc's coarseness.
  const model::Process* find_started(std::uint32_t pid, BootTime start) const;
  // Marks it ended; it is forgotten kKeepEnded after `now`.
  void end(const ProcessId& id, BootTime now);
  void forget_ended(BootTime now);

  std::size_t size() const { return processes_.size(); }
  std::uint64_t forgotten_early() const { return forgotten_early_; }

 private:
  model::Process make_process(const Actor& actor) const;
  model::Process& insert(model::Process process);

  LookUp look_up_;
  UserName user_name_;
  FillContainer fill_container_;
  std::map<ProcessId, model::Process> processes_;
  std::deque<std::pair<BootTime, ProcessId>> ended_;  // in order of time
  std::uint64_t forgotten_early_ = 0;
};

}  // namespace aispm::sensor
