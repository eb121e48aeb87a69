// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sensor/capture/shared_maps.hpp"
#include "sensor/model/records.hpp"

struct bpf_link;
extern "C" int bpf_link__destroy(bpf_link* link);
struct stdio_bpf;

namespace aispm::sensor {

// Reads what servers say over stdin and stdout. Finding them costs one look at each exec; reading
// means to look at every system call's return, so that hook is attached only while there may be
// one. Lives on the pipeline thread.
class StdioProbes {
 public:
  static Result<StdioProbes> open(const SharedMaps& maps);

  // One was found: its calls are read from now on, and from when it was started if that hook was
  // attached already.
  Result<> begin();
  // It is no server that we want.
  void drop(std::uint32_t pid);
  // Drops those that are gone or said nothing for two minutes; detaches when none is left.
  Result<> sweep(BootTime now);

  bool is_reading() const { return reading_ != nullptr; }
  std::size_t servers() const { return servers_; }

 private:
  using Link = CPtr<bpf_link, bpf_link__destroy>;
  struct Free {
    void operator()(stdio_bpf* programs) const;
  };
  std::unique_ptr<stdio_bpf, Free> programs_;
  Link reading_;
  std::size_t servers_ = 0;
};

// The process that holds the other ends of what was found: its ancestors first, then all others.
// Zero when nobody does.
ProcessId find_stdio_peer(const StdioFound& found);

}  // namespace aispm::sensor
