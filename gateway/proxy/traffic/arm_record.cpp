// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/arm_record.hpp"

namespace aispm::gateway {

void add_call(ArmFigures& figures, const model::LlmCall& call, const ArmCall& how) {
  const auto add = [](std::atomic<std::uint64_t>& sum, std::uint64_t count) {
    sum.fetch_add(count, std::memory_order_relaxed);
  };
  add(figures.calls, 1);
  add(figures.errors, how.has_failed ? 1 : 0);
  add(figures.flagged, how.is_flagged ? 1 : 0);
  add(figures.denied, how.is_denied ? 1 : 0);
  add(figures.input_tokens, call.input_tokens);
  add(figures.output_tokens, call.output_tokens);
  figures.latency.add(call.duration_us);
  if (call.first_byte_us != 0) figures.first_byte.add(call.first_byte_us);
}

void add_failed_attempt(ArmFigures& figures) {
  figures.calls.fetch_add(1, std::memory_order_relaxed);
  figures.errors.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace aispm::gateway
