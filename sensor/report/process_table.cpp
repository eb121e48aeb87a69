// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/process_table.hpp"

#include <utility>

namespace aispm::sensor {
model::Process ProcessTable::make_process(const Actor& actor) const {
  model::Process process;
  process.id = actor.id;
  process.parent = actor.parent;
  process.uid = actor.uid;
  process.user = user_name_(actor.uid);
  process.comm = actor.comm;
  process.cgroup_id = actor.cgroup_id;
  process.pid_namespace = actor.pid_namespace;
  if (fill_container_) fill_container_(process);
  return process;
}

model::Process& ProcessTable::insert(model::Process process) {
  if (processes_.size() >= kMaxProcesses && !processes_.contains(process.id)) {
    // Ended ones first; else any: what is needed again is looked up again.
    ++forgotten_early_;
    if (!ended_.empty()) {
      processes_.erase(ended_.front().second);
      ended_.pop_front();
    } else {
      processes_.erase(processes_.begin());
    }
  }
  const ProcessId id = process.id;
  return processes_.insert_or_assign(id, std::move(process)).first->second;
}

model::Process& ProcessTable::learn(const Exec& exec) {
  model::Process process = make_process(exec.actor);
  process.exe = exec.exe;
  process.argv = exec.argv;
  process.argv_truncated = exec.argv_truncated;
  return insert(std::move(process));
}

void ProcessTable::learn_fork(const Actor& parent, const ProcessId& child) {
  if (processes_.contains(child)) return;
  model::Process copy = describe(parent);
  copy.id = child;
  copy.parent = parent.id;
  insert(std::move(copy));
}

const model::Process& ProcessTable::describe(const Actor& actor) {
  if (const auto known = processes_.find(actor.id); known != processes_.end()) return known->second;
  model::Process process = make_process(actor);
  // Started before us, or forked without exec: /proc shows its arguments, which fork inherits.
  if (const auto found = look_up_(actor.id.pid);
      found && same_start(found->actor.id.start, actor.id.start)) {
    process.exe = found->exe;
    process.argv = found->argv;
    process.argv_truncated = found->argv_truncated;
    process.comm = found->actor.comm;
    if (process.parent == ProcessId{}) process.parent = found->actor.parent;
  } else if (const model::Process* parent = find(actor.parent); parent != nullptr) {
    // Gone already, never did an exec: it was a copy of its parent.
    process.exe = parent->exe;
    process.argv = parent->argv;
    process.argv_truncated = parent->argv_truncated;
  }
  return insert(std::move(process));
}

std::string ProcessTable::exe_of(const ProcessId& id) const {
  if (const model::Process* known = find(id); known != nullptr) return known->exe;
  const auto found = look_up_(id.pid);
  return found && same_start(found->actor.id.start, id.start) ? found->exe : "";
}

const model::Process* ProcessTable::find(const ProcessId& id) const {
  const auto known = processes_.find(id);
  return known == processes_.end() ? nullptr : &known->second;
}

const model::Process* ProcessTable::find_started(std::uint32_t pid, BootTime start) const {
  for (auto one = processes_.lower_bound({pid, BootTime{}});
       one != processes_.end() && one->first.pid == pid; ++one)
    if (same_start(one->first.start, start)) return &one->second;
  return nullptr;
}

void ProcessTable::end(const ProcessId& id, BootTime now) {
  if (processes_.contains(id)) ended_.emplace_back(now, id);
}

void ProcessTable::forget_ended(BootTime now) {
  constexpr auto kKeep = static_cast<std::uint64_t>(std::chrono::nanoseconds(kKeepEnded).count());
  while (!ended_.empty() && ended_.front().first.nanoseconds + kKeep <= now.nanoseconds) {
    processes_.erase(ended_.front().second);
    ended_.pop_front();
  }
}

}  // namespace aispm::sensor
