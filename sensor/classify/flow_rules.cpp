// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/flow_rules.hpp"

#include <utility>

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kMcpDurationUs = 30'000'000;
constexpr std::uint64_t kMcpBytesPerSecond = 100;

bool is_within_window(BootTime then, BootTime now) {
  constexpr auto kWindow = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(BurstRule::kWindow).count());
  return now.nanoseconds < then.nanoseconds + kWindow;
}

}  // namespace

bool is_mcp_host(std::string_view host) {
  return host.starts_with("mcp.") || host.starts_with("mcp-") ||
         host.find(".mcp.") != std::string_view::npos ||
         host.find("-mcp.") != std::string_view::npos;
}

bool is_mcp_flow(std::string_view host, std::uint64_t duration_us, std::uint64_t bytes) {
  if (!is_mcp_host(host) || duration_us <= kMcpDurationUs) return false;
  return static_cast<double>(bytes) * 1e6 <
         static_cast<double>(kMcpBytesPerSecond) * static_cast<double>(duration_us);
}

std::optional<model::Detection> BurstRule::on_request(const model::ProcessId& process,
                                                      const std::string& host, BootTime now) {
  const Key key{process, host};
  auto found = flows_.find(key);
  if (found == flows_.end()) {
    if (flows_.size() >= kMaxFlows) {
      flows_.erase(recent_.front());
      recent_.pop_front();
    }
    found = flows_.try_emplace(key).first;
    found->second.place = recent_.insert(recent_.end(), key);
  }
  Flow& flow = found->second;
  recent_.splice(recent_.end(), recent_, flow.place);
  while (!flow.times.empty() && !is_within_window(flow.times.front(), now)) flow.times.pop_front();
  flow.times.push_back(now);
  if (flow.times.size() <= kMostRequests) {
    flow.is_burst = false;
    return std::nullopt;
  }
  flow.times.pop_front();
  if (std::exchange(flow.is_burst, true)) return std::nullopt;
  model::Detection detection;
  detection.rule_id = "flow.agent-burst";
  detection.category = "behaviour";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 0.8;
  detection.message = "more than " + std::to_string(kMostRequests) + " requests a minute to " +
                      host + ": an agent on its own";
  return detection;
}

std::vector<model::Detection> BurstRule::judge(const model::ProcessId& process,
                                               const std::string& host, BootTime now) {
  auto burst = on_request(process, host, now);
  return burst ? std::vector<model::Detection>{std::move(*burst)} : std::vector<model::Detection>();
}

}  // namespace aispm::sensor
