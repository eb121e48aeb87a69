// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "sensor/pipeline.hpp"

namespace aispm::sensor {
namespace {

constexpr std::string_view kIgnored = "ignored.";

}  // namespace

void Pipeline::add_health(model::ComponentHealth& health) const {
  health.losses["decode.malformed"] = malformed_;
  health.losses["processes.forgotten_early"] = processes_.forgotten_early();
  for (const auto& [cause, count] : correlator_.counters().by_cause) {
    // Plaintext that nobody could have decoded is not lost.
    if (cause.starts_with(kIgnored))
      health.counters["not_decoded." + cause.substr(kIgnored.size())] = count;
    else
      health.losses[cause] = count;
  }
  health.losses["names.hello_cut"] = names_.counters().hellos_cut;
  health.counters["names.malformed"] = names_.counters().malformed;
  health.counters["names.quic_unread"] = names_.counters().quic_unread;
  health.counters["names.held_back"] = name_news_.held_back();
  health.counters["records"] = records_;
  health.counters["tls.chunks"] = chunks_;
  health.counters["llm.calls"] = llm_calls_;
  health.counters["agent.calls"] = agent_calls_;
  health.counters["processes"] = processes_.size();
  health.counters["correlate.connections"] = correlator_.connections();
  health.counters["correlate.held_bytes"] = correlator_.held_bytes();
  health.counters["ai_use.held_back"] = parts_.classifier.held_back();
  parts_.behaviour.add_health(health);
  inventory_.add_health(health);
  parts_.sink.add_health(health);
}

}  // namespace aispm::sensor
