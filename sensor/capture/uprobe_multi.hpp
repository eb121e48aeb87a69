// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

struct bpf_object;
struct bpf_program;

// Many probes of one program in one file by one link (BPF_TRACE_UPROBE_MULTI, since 6.6): one
// descriptor, one wait at the detach, and less between the probe and the program than by perf
// events. libbpf 1.1 does not know it, hence the system call itself.
namespace aispm::sensor {

bool has_uprobe_multi();

// Makes every uprobe program of a freshly opened object attachable that way, and only that way.
// Call between open and load.
void prepare_uprobe_multi(bpf_object* object);
bool is_uprobe_multi(const bpf_program* program);

// `offsets` are into the file, one cookie for each. Closing the descriptor detaches.
Result<UniqueFd> attach_uprobe_multi(const bpf_program* program, const std::string& path,
                                     const std::vector<std::uint64_t>& offsets,
                                     const std::vector<std::uint64_t>& cookies, bool at_return);

}  // namespace aispm::sensor
