// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/kernel_features.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/uprobe_multi.hpp"

namespace aispm::sensor {
namespace {

constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, include/linux/proc_ns.h

bool has_tracepoint(const btf* types, const std::string& name) {
  return types != nullptr &&
         ::btf__find_by_name_kind(types, ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF) > 0;
}

bool may_create_maps() {
  return static_cast<bool>(
      UniqueFd(::bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0, 64U << 10, nullptr)));
}

}  // namespace

KernelFeatures find_kernel_features() {
  KernelFeatures features;
  utsname name{};
  if (::uname(&name) == 0) features.release = name.release;
  features.bpf = may_create_maps();
  const CPtr<btf, btf__free> types(::btf__load_vmlinux_btf());
  features.btf = types != nullptr;
  features.socket_length = has_tracepoint(types.get(), "sock_send_length");
  features.uprobes = ::access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
  features.uprobe_multi = has_uprobe_multi();
  struct stat own {};
  features.host_pids = ::stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == kInitialPidNamespace;
  return features;
}

std::map<std::string, std::string> KernelFeatures::texts() const {
  const auto yes_no = [](bool has) { return std::string(has ? "yes" : "no"); };
  return {{"kernel", release},
          {"bpf", yes_no(bpf)},
          {"btf", yes_no(btf)},
          {"uprobe", yes_no(uprobes)},
          {"uprobe_multi", yes_no(uprobe_multi)},
          {"host_pids", yes_no(host_pids)},
          {"sock_send_length", yes_no(socket_length)}};
}

std::vector<std::string> KernelFeatures::reasons() const {
  std::vector<std::string> reasons;
  if (!bpf)
    reasons.push_back(
        "bpf(2) is refused: run as root (or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE); /proc "
        "polling instead");
  if (!btf)
    reasons.push_back(
        "no /sys/kernel/btf/vmlinux: use a kernel with CONFIG_DEBUG_INFO_BTF; /proc polling "
        "instead");
  if (!host_pids)
    reasons.push_back(
        "not in the host's pid namespace: run on the host or with its pid namespace; /proc polling "
        "instead");
  if (!uprobes)
    reasons.push_back("no uprobes: use a kernel with CONFIG_UPROBE_EVENTS; no TLS plaintext");
  return reasons;
}

}  // namespace aispm::sensor
