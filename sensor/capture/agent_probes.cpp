// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/agent_probes.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <string>
#include <utility>

#include "bpf/agents.skel.h"
#include "bpf/events.h"
#include "bpf/file.skel.h"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/capture/trace_folder.hpp"

namespace aispm::sensor {

void AgentProbes::Free::operator()(agents_bpf* programs) const { agents_bpf::destroy(programs); }
void AgentProbes::Free::operator()(file_bpf* programs) const { file_bpf::destroy(programs); }

Result<AgentProbes> AgentProbes::open(const SharedMaps& maps, std::uint32_t own_tgid) {
  AgentProbes probes;
  probes.agents_.reset(agents_bpf::open(nullptr));
  agents_bpf* agents = probes.agents_.get();
  if (agents == nullptr) return fail_bpf("open the agents programs", errno);
  agents->rodata->own_tgid = own_tgid;
  AISPM_CHECK(maps.lend_to(agents->obj));
  if (const int error = agents_bpf::load(agents); error != 0)
    return fail_bpf("load the agents programs", error);
  if (const int error = agents_bpf::attach(agents); error != 0)
    return fail_bpf("attach the agents programs", error);

  probes.files_.reset(file_bpf::open(nullptr));
  file_bpf* files = probes.files_.get();
  if (files == nullptr) return fail_bpf("open the file programs", errno);
  AISPM_CHECK(maps.lend_to(files->obj));
  if (const int error = ::bpf_map__reuse_fd(files->maps.agents, ::bpf_map__fd(agents->maps.agents));
      error != 0)
    return fail_errno("share BPF map agents", -error);
  if (const int error = file_bpf::load(files); error != 0)
    return fail_bpf("load the file programs", error);
  return probes;
}

Result<> AgentProbes::follow(const model::ProcessId& process, std::uint32_t agent) {
  const aispm_agent value{process.start.nanoseconds, agent, 0};
  if (::bpf_map_update_elem(::bpf_map__fd(agents_->maps.agents), &process.pid, &value, BPF_ANY) !=
      0)
    return fail_errno("follow an agent's process");
  return {};
}

Result<> AgentProbes::watch_files(bool wanted) {
  if (wanted == watches_files()) return {};
  if (!wanted) {
    file_hooks_.clear();
    return {};
  }
  AISPM_CHECK(provide_trace_folder());
  const auto& programs = files_->progs;
  std::vector<Link> hooks;
  for (const bpf_program* program : {programs.on_openat, programs.on_openat2, programs.on_open,
                                     programs.on_creat, programs.on_socket_call}) {
    Link link(::bpf_program__attach(program));
    // open(2) and creat(2) exist on x86 only.
    const bool is_optional = program == programs.on_open || program == programs.on_creat;
    if (!link && is_optional && errno == ENOENT) continue;
    if (!link) return fail_bpf(std::string("attach ") + ::bpf_program__name(program), errno);
    hooks.push_back(std::move(link));
  }
  file_hooks_ = std::move(hooks);
  return {};
}

}  // namespace aispm::sensor
