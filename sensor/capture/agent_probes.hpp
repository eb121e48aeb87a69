// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/capture/shared_maps.hpp"

struct bpf_link;
extern "C" int bpf_link__destroy(bpf_link* link);
struct agents_bpf;
struct file_bpf;

namespace aispm::sensor {

// Follows agents in the kernel: their children, the files they open, the raw sockets they ask for;
// and signals to the sensor. Tracing system calls slows every process a little, so the file hooks
// are attached only while an agent runs. Lives on the pipeline thread.
class AgentProbes {
 public:
  // `own_tgid`: signals to it are told; 0 = none.
  static Result<AgentProbes> open(const SharedMaps& maps, std::uint32_t own_tgid);

  // The process belongs to an agent from now on, and so do the children it starts.
  Result<> follow(const model::ProcessId& process, std::uint32_t agent);
  // Attaches or detaches the file hooks. Does nothing when it is so already.
  Result<> watch_files(bool wanted);
  bool watches_files() const { return !file_hooks_.empty(); }

 private:
  using Link = CPtr<bpf_link, bpf_link__destroy>;
  struct Free {
    void operator()(agents_bpf* programs) const;
    void operator()(file_bpf* programs) const;
  };

  std::unique_ptr<agents_bpf, Free> agents_;
  std::unique_ptr<file_bpf, Free> files_;
  std::vector<Link> file_hooks_;
};

}  // namespace aispm::sensor
