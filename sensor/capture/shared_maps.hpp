// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "bpf/events.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

struct bpf_object;

namespace aispm::sensor {

enum class Ring : std::uint32_t { kControl = 0, kData = 1 };

struct RingSizes {
  std::uint64_t control_bytes = 4U << 20;
  std::uint64_t data_bytes = 32U << 20;
};

// The maps that all BPF objects use together. Made once, before any object is loaded; outlives
// them.
class SharedMaps {
 public:
  // Sizes are rounded up to a power of two of at least one page. kDenied without privileges.
  static Result<SharedMaps> open(const RingSizes& sizes);

  // Makes a freshly opened object use these maps where it declares them. Call between open and
  // load.
  Result<> lend_to(bpf_object* object) const;

  int ring(Ring ring) const { return ring == Ring::kControl ? control_.get() : data_.get(); }
  // Tells the kernel side that the reader of `ring` is about to sleep: the next record wakes it.
  void announce_sleep(Ring ring);
  // Sum over CPUs for each AISPM_LOSS_* and AISPM_COUNT_*.
  Result<std::array<aispm_loss, AISPM_LOSS_CAUSES>> losses() const;
  Result<std::array<std::uint64_t, AISPM_COUNTS>> counts() const;

 private:
  struct Unmap {
    void operator()(std::uint64_t* flags) const;
  };

  SharedMaps() = default;
  UniqueFd control_;
  UniqueFd data_;
  UniqueFd losses_;
  UniqueFd counts_;
  UniqueFd sleeping_;
  std::unique_ptr<std::uint64_t, Unmap> asleep_;  // one flag a ring, shared with the kernel
};

}  // namespace aispm::sensor
