// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

namespace aispm::sensor {

// What this kernel and these privileges allow; found once at start.
struct KernelFeatures {
  bool bpf = false;            // bpf(2) lets us load programs
  bool btf = false;            // /sys/kernel/btf/vmlinux
  bool uprobes = false;        // the uprobe perf PMU
  bool socket_length = false;  // tracepoint sock_send_length (6.3)
  bool uprobe_multi = false;   // one link for many probes (6.6)
  bool host_pids = false;      // we see the pids that the kernel stamps
  std::string release;         // "6.1.0-38-cloud-amd64"

  // For health: "btf": "yes", "uprobe": "no: ..." ...
  std::map<std::string, std::string> texts() const;
  bool can_use_ebpf() const { return bpf && btf && host_pids; }
  // Why not everything works, each with what to do.
  std::vector<std::string> reasons() const;
};

KernelFeatures find_kernel_features();

}  // namespace aispm::sensor
