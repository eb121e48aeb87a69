// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"

// What the shape of traffic says when its content is not seen. Pure; not thread-safe.
namespace aispm::sensor {

// A connection that stays open and idles is what MCP over HTTP looks like: more than 30 s, less
// than 100 B/s in all, to a host that is known to serve MCP. SEN-012.
bool is_mcp_flow(std::string_view host, std::uint64_t duration_us, std::uint64_t bytes);
// A host whose name says that it serves MCP: "mcp.example.com", "example-mcp.example.com".
bool is_mcp_host(std::string_view host);

// Counts requests to model endpoints: more than 30 a minute of one process to one host is no human.
// SEN-013.
class BurstRule {
 public:
  static constexpr std::size_t kMostRequests = 30;
  static constexpr std::chrono::seconds kWindow{60};
  static constexpr std::size_t kMaxFlows = 4096;  // the one silent longest is forgotten

  // A request at `now`. Gives a detection for the first that is too many, and again when there was
  // a pause in between.
  std::optional<model::Detection> on_request(const model::ProcessId& process,
                                             const std::string& host, BootTime now);
  // As a list, for an event.
  std::vector<model::Detection> judge(const model::ProcessId& process, const std::string& host,
                                      BootTime now);
  std::size_t flows() const { return flows_.size(); }

 private:
  using Key = std::pair<model::ProcessId, std::string>;
  struct Flow {
    std::deque<BootTime> times;  // the latest, at most kMostRequests + 1
    bool is_burst = false;
    std::list<Key>::iterator place;
  };
  std::map<Key, Flow> flows_;
  std::list<Key> recent_;  // silent longest first
};

}  // namespace aispm::sensor
