// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sdk/core/common/result.hpp"
#include "sensor/capture/shared_maps.hpp"

struct process_bpf;
void free_programs(process_bpf* programs);

namespace aispm::sensor {

struct FreePrograms {
  template <typename T>
  void operator()(T* programs) const {
    free_programs(programs);
  }
};

// exec and exit, attached while this lives.
class ProcessTracepoints {
 public:
  static Result<ProcessTracepoints> open(const SharedMaps& maps);

 private:
  std::unique_ptr<process_bpf, FreePrograms> programs_;
};

}  // namespace aispm::sensor
