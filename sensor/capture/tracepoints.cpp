// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/tracepoints.hpp"

#include <string>

#include "bpf/process.skel.h"
#include "sensor/capture/bpf_log.hpp"

void free_programs(process_bpf* programs) { process_bpf::destroy(programs); }

namespace aispm::sensor {
namespace {

// open -> share maps -> load -> attach. The skeletons of all objects have the same shape.
template <typename T>
Result<std::unique_ptr<T, FreePrograms>> start(const SharedMaps& maps, const std::string& name) {
  std::unique_ptr<T, FreePrograms> programs(T::open(nullptr));
  if (!programs) return fail_bpf("open the " + name + " programs", errno);
  AISPM_CHECK(maps.lend_to(programs->obj));
  if (const int error = T::load(programs.get()); error != 0)
    return fail_bpf("load the " + name + " programs", error);
  if (const int error = T::attach(programs.get()); error != 0)
    return fail_bpf("attach the " + name + " programs", error);
  return programs;
}

}  // namespace

Result<ProcessTracepoints> ProcessTracepoints::open(const SharedMaps& maps) {
  ProcessTracepoints tracepoints;
  AISPM_TRY(tracepoints.programs_, start<process_bpf>(maps, "process"));
  return tracepoints;
}

}  // namespace aispm::sensor
