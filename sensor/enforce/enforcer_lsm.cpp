// SPDX-License-Identifier: Apache-2.0
// The part of enforcement that needs BPF LSM.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/lsm.skel.h"
#include "sdk/core/common/file.hpp"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/enforce/enforcer.hpp"

void free_lsm(lsm_bpf* programs) { lsm_bpf::destroy(programs); }

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxListBytes = 4096;

// Where security file systems are not mounted nobody can tell; then loading is tried.
bool may_have_lsm() {
  const auto list = read_file("/sys/kernel/security/lsm", kMaxListBytes);
  return !list || list->find("bpf") != std::string::npos;
}

bool any_of(const aispm_rule_mask& mask) { return RuleMask{mask}.any(); }

}  // namespace

Result<> Enforcer::load_lsm() {
  why_no_lsm_ = "the kernel runs without BPF LSM (CONFIG_BPF_LSM and lsm=...,bpf)";
  if (!may_have_lsm()) return {};
  std::unique_ptr<lsm_bpf, FreeLsm> programs(lsm_bpf::open(nullptr));
  if (!programs) return fail_bpf("open the LSM programs", errno);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, programs->obj) {
    const int fd = ::bpf_object__find_map_fd_by_name(deny_object(), ::bpf_map__name(map));
    if (fd < 0) continue;  // its own
    if (const int error = ::bpf_map__reuse_fd(map, fd); error != 0)
      return fail_bpf(std::string("share map ") + ::bpf_map__name(map), error);
  }
  if (const int error = lsm_bpf::load(programs.get()); error != 0) {
    why_no_lsm_ = fail_bpf("load the LSM programs", error).value().message;
    return {};
  }
  lsm_ = std::move(programs);
  why_no_lsm_.clear();
  return {};
}

bpf_object* Enforcer::lsm_object() const { return lsm_->obj; }

Result<> Enforcer::attach_lsm(const EnforceTables& tables) {
  const bool has_rules = tables.has_rules();
  const auto needs = [&](std::size_t act) { return has_rules && any_of(tables.sets.acts[act]); };
  const std::pair<std::size_t, std::vector<const char*>> hooks[] = {
      {AISPM_ACT_EXEC, {"deny_exec"}},
      {AISPM_ACT_SOCKET, {"deny_socket"}},
      {AISPM_ACT_WRITE,
       {"deny_make", "deny_mkdir", "deny_symlink", "deny_unlink", "deny_rename", "deny_truncate"}},
      {AISPM_ACT_TAMPER, {"deny_signal", "deny_trace", "deny_bpf_call"}}};
  const bool needs_files = needs(AISPM_ACT_WRITE) || needs(AISPM_ACT_KERNEL_WRITE);
  lsm_reason_.clear();
  if (!lsm_) {
    if (needs_files || needs(AISPM_ACT_TAMPER))
      lsm_reason_ = "writes and tampering are not refused: " + why_no_lsm_;
    return {};
  }
  for (const auto& [act, names] : hooks)
    for (const char* name : names) AISPM_CHECK(attach_hook(name, needs(act)));
  return attach_hook("deny_write", needs_files);
}

}  // namespace aispm::sensor
