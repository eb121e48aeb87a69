// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/kernel_features.hpp"
#include "sensor/capture/probe_plan.hpp"
#include "sensor/capture/shared_maps.hpp"

struct bpf_link;
struct bpf_object;
struct bpf_program;
extern "C" int bpf_link__destroy(bpf_link* link);
struct tls_bpf;

namespace aispm::sensor {

using BpfLink = CPtr<bpf_link, bpf_link__destroy>;

// The TLS programs, and their probes in libraries.
class TlsProbes {
 public:
  // Probes of one library; destroying them detaches.
  struct Attached {
    std::vector<BpfLink> links;
    std::vector<UniqueFd> multi;  // see uprobe_multi.hpp
  };

  // `own_tgid` is never captured.
  static Result<TlsProbes> open(const SharedMaps& maps, const KernelFeatures& features,
                                std::uint32_t own_tgid);

  // The programs of a hook: `entry` runs where the point is, `at_return` when that function
  // returns; either may be null. `flags` are AISPM_PROBE_*.
  struct HookPrograms {
    const bpf_program* entry = nullptr;
    const bpf_program* at_return = nullptr;
    std::uint8_t flags = 0;
    // Called before each probe of this hook is attached: what the programs need besides, attached
    // only once somebody needs it. May be empty.
    std::function<Result<>()> prepare;
  };
  // From other objects; they must outlive this. Before any attach().
  void add_hook(TlsHook hook, HookPrograms programs);
  // Makes a freshly opened object use our maps where it declares them. Call between open and load,
  // beside SharedMaps::lend_to.
  Result<> lend_to(bpf_object* object) const;

  // `path` names the library's file (any path that resolves to it now); `file_offset` turns
  // addresses into file offsets. All probes of the plan or none.
  Result<Attached> attach(
      const std::string& path, const ProbePlan& plan,
      const std::function<std::optional<std::uint64_t>(std::uint64_t)>& file_offset) const;
  // One probe that does nothing, to measure what a probe costs.
  Result<Attached> attach_nothing(const std::string& path, std::uint64_t offset) const;

  // Forgets the connections of processes that are gone. Returns how many connections are left.
  Result<std::size_t> sweep_connections();
  // How sockets are found: "sock_send_length" or "syscalls" or "no: <why>".
  const std::string& socket_method() const { return socket_method_; }

 private:
  struct FreeTls {
    void operator()(tls_bpf* programs) const;
  };

  TlsProbes() = default;
  Result<> attach_socket_hooks(const KernelFeatures& features);
  void add_own_hooks();

  std::unique_ptr<tls_bpf, FreeTls> programs_;
  std::map<TlsHook, HookPrograms> hooks_;
  std::vector<BpfLink> socket_hooks_;
  std::string socket_method_;
  bool uses_multi_ = false;
};

}  // namespace aispm::sensor
