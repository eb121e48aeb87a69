// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::inventory {

// The name a server goes by: its own, else its host, else its program's. `endpoint` is where it
// is: the host of an HTTP server, executable and script of a stdio one.
struct ServerIdentity {
  std::string transport;
  std::string name;
  std::string endpoint;
  bool is_named = false;  // by itself
  auto operator<=>(const ServerIdentity&) const = default;
};
ServerIdentity identify_server(const std::string& transport, const std::string& name,
                               const std::string& host, const aispm::v1::Process& process);

// MCP servers with the tools they offer. A tool list is compared with the stored one, so a change
// is found also when the sensor was restarted in between; each difference is kept with the hashes
// before and after. Lives on the writer's thread, inside its transaction.
class McpServers {
 public:
  explicit McpServers(store::Database& database) : database_(database) {}

  // Summed; written by flush().
  void see_call(const Concern& concern, const aispm::v1::Event& event);
  Result<> see_tools(const Concern& concern, const aispm::v1::Event& event);
  Result<> flush();
  void forget();
  // Servers and tools refused since the last call because there are too many.
  std::uint64_t take_refused();

 private:
  struct Tool {
    std::string description;
    std::string schema;
    bool is_removed = false;
    bool is_listed = false;
  };
  struct Known {
    std::int64_t ref = 0;  // 0: there is no room for it
    std::int64_t listed = 0;
  };
  struct Calls {
    std::uint64_t count = 0, errors = 0;
    std::int64_t first = INT64_MAX, last = INT64_MIN, risky = 0, judged = 0;
    void add(const Concern& concern, const aispm::v1::Event& event);
  };
  struct ServerUse {
    Calls calls;
    std::string version, protocol_version;
    std::optional<aispm::v1::Process> process;
    std::map<std::string, Calls> tools;
    std::set<std::int64_t> agents;
  };
  struct Moment {
    std::int64_t first = 0, last = 0;
  };
  using Place = std::pair<std::int64_t, ServerIdentity>;  // host, server
  Result<Known> server(const Place& place, const aispm::v1::Process* process, Moment moment);
  Result<> write_calls(const Place& place, const ServerUse& use);
  Result<std::map<std::string, Tool>> tools_of(std::int64_t server);
  Result<> note_change(std::int64_t server, std::int64_t time, const std::string& name,
                       const std::string& change, const Tool& before, const Tool& after);
  Result<> write_tool(std::int64_t server, std::int64_t time, const std::string& name,
                      const Tool& tool, bool is_changed);
  // The differences between the stored and the new list, one change each.
  Result<> compare(const Known& known, std::int64_t time, const std::map<std::string, Tool>& before,
                   const std::map<std::string, Tool>& after);

  store::Database& database_;
  std::map<Place, ServerUse> uses_;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
