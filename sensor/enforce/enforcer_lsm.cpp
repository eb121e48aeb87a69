// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>

#include "sensor/enforce/enforcer.hpp"

struct lsm_bpf {};
void free_lsm(lsm_bpf*) {}

namespace aispm::sensor {
Result<> Enforcer::load_lsm() { return {}; }
Result<> Enforcer::attach_lsm(const EnforceTables&) { return {}; }
bpf_object* Enforcer::lsm_object() const { return nullptr; }
}  // namespace aispm::sensor
