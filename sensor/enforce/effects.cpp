// SPDX-License-Identifier: Apache-2.0
// What the enforcer does to single processes and connections, and what it counts.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <numeric>

#include "bpf/deny.skel.h"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/enforce/encode.hpp"
#include "sensor/enforce/enforcer.hpp"
#include "sensor/enforce/host.hpp"

namespace aispm::sensor {

Result<std::vector<ListedProcess>> Enforcer::list_processes() const {
  std::vector<ListedProcess> listed;
  if (!is_loaded()) return listed;
  const CPtr<bpf_link, bpf_link__destroy> link(
      ::bpf_program__attach_iter(deny_->progs.list_processes, nullptr));
  if (!link) return fail_bpf("list processes", errno);
  const UniqueFd walk(::bpf_iter_create(::bpf_link__fd(link.get())));
  if (!walk) return fail_errno("list processes");
  std::array<aispm_listed_process, 256> block;
  std::size_t held = 0;  // bytes of a record cut by the end of a read
  for (;;) {
    auto* bytes = reinterpret_cast<char*>(block.data());
    const ssize_t size = ::read(walk.get(), bytes + held, sizeof(block) - held);
    if (size < 0 && errno == EAGAIN) continue;
    if (size < 0) return fail_errno("list processes");
    if (size == 0) return listed;
    held += static_cast<std::size_t>(size);
    const std::size_t count = held / sizeof(aispm_listed_process);
    for (std::size_t i = 0; i < count; ++i)
      listed.push_back({{block[i].process.tgid, {block[i].process.start_boottime_ns}},
                        {block[i].parent.tgid, {block[i].parent.start_boottime_ns}},
                        block[i].cgroup_id,
                        block[i].uid});
    held -= count * sizeof(aispm_listed_process);
    std::memmove(bytes, bytes + count * sizeof(aispm_listed_process), held);
  }
}

bool Enforcer::kill(const model::ProcessId& id) const {
  if (id.pid <= 1 || id == options_.self || id.pid == static_cast<std::uint32_t>(::getpid()))
    return false;
  const UniqueFd process = open_process(id);
  return process && ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0;
}

Result<> Enforcer::cut(std::uint64_t cookie, const aispm_rule_mask& rules, bool is_enforced) {
  if (!is_loaded()) AISPM_CHECK(load());
  aispm_cut entry{};
  entry.rules = rules;
  entry.enforced = is_enforced ? 1 : 0;
  if (::bpf_map_update_elem(map("cuts"), &cookie, &entry, BPF_ANY) != 0)
    return fail_errno("write table cuts");
  return {};
}

Result<std::size_t> Enforcer::cut_all(const model::ProcessId& id, const aispm_rule_mask& rules,
                                      const EnforceTables& tables) {
  const UniqueFd process = open_process(id);
  if (!process) return std::size_t{0};
  std::size_t count = 0;
  for (const OpenSocket& socket : list_sockets(process, id.pid)) {
    if (!socket.peer || tables.protected_endpoints.contains(*socket.peer)) continue;
    AISPM_CHECK(cut(socket.cookie, rules, true));
    ++count;
  }
  return count;
}

std::uint64_t Enforcer::effect(std::uint32_t which) const {
  if (!is_loaded()) return 0;
  static const int cpus = ::libbpf_num_possible_cpus();
  std::vector<std::uint64_t> values(cpus > 0 ? static_cast<std::size_t>(cpus) : 0);
  if (values.empty() || ::bpf_map_lookup_elem(map("effects"), &which, values.data()) != 0) return 0;
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

Effects Enforcer::effects() const {
  Effects sums{};
  for (std::uint32_t i = 0; i < sums.size(); ++i) sums[i] = effect(i);
  return sums;
}

std::vector<std::string> Enforcer::reasons() const {
  std::vector<std::string> all = reasons_;
  if (!lsm_reason_.empty()) all.push_back(lsm_reason_);
  return all;
}

bpf_object* Enforcer::deny_object() const { return deny_->obj; }

std::map<std::string, std::string> Enforcer::features() const {
  return {{"enforce", !links_.empty() ? "cgroup"
                      : is_loaded()   ? "ready"
                                      : "idle"},
          {"enforce.lsm", lsm_          ? "yes"
                          : is_loaded() ? "no: " + why_no_lsm_
                                        : "not needed yet"},
          {"enforce.pins", pins_ ? options_.pins : "no"}};
}

}  // namespace aispm::sensor
