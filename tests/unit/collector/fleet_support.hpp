// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "tests/unit/collector/support.hpp"

// Events of the inventory as sensors report them.
namespace aispm::collector::test {

inline const std::string kHashA(64, 'a');
inline const std::string kHashB(64, 'b');

inline pb::Event make_sensor_event(double seconds, const std::string& agent = "") {
  pb::Event event = make_event(pb::SOURCE_SENSOR, seconds);
  event.set_agent_id(agent);
  auto& process = *event.mutable_process();
  process.set_pid(77);
  process.set_start_boottime_ns(77'000);
  process.set_exe("/usr/bin/python3");
  process.set_comm("python3");
  return event;
}

inline pb::Event make_asset(const std::string& id, const std::string& kind, double seconds,
                            const std::string& agent = "") {
  pb::Event event = make_sensor_event(seconds, agent);
  auto& asset = *event.mutable_asset();
  asset.set_asset_id(id);
  asset.set_kind(kind);
  asset.set_name(id + "-name");
  asset.set_provider("ollama");
  asset.set_confidence(0.9);
  auto& evidence = *asset.add_evidence();
  evidence.set_type("port");
  evidence.set_value("11434");
  evidence.set_rule("ollama.port");
  evidence.set_weight(0.4);
  asset.set_explanation("The port and the process fit.");
  return event;
}

inline pb::Event make_scanned(const std::string& id, const std::string& resync, std::uint32_t size,
                              double seconds) {
  pb::Event event = make_asset(id, "model_server", seconds);
  event.mutable_asset()->set_resync_id(resync);
  event.mutable_asset()->set_resync_size(size);
  return event;
}

inline pb::Event make_tools(
    const std::vector<std::tuple<std::string, std::string, std::string>>& tools, double seconds) {
  pb::Event event = make_sensor_event(seconds, "alice/agent.py");
  auto& list = *event.mutable_mcp_tools();
  list.set_transport("stdio");
  list.set_server_name("files");
  list.set_server_version("1.0");
  list.mutable_server_process()->set_exe("/usr/bin/node");
  list.mutable_server_process()->add_argv("node");
  list.mutable_server_process()->add_argv("/srv/files.js");
  for (const auto& [name, description, schema] : tools) {
    auto& tool = *list.add_tools();
    tool.set_name(name);
    tool.set_description_sha256(description);
    tool.set_schema_sha256(schema);
  }
  return event;
}

inline pb::Event make_mcp_call(const std::string& tool, double seconds,
                               const std::string& server = "files") {
  pb::Event event = make_sensor_event(seconds, "alice/agent.py");
  auto& call = *event.mutable_mcp_call();
  call.set_protocol("mcp");
  call.set_transport("stdio");
  call.set_method("tools/call");
  call.set_tool(tool);
  call.set_server_name(server);
  call.mutable_server_process()->set_exe("/usr/bin/node");
  call.mutable_server_process()->add_argv("node");
  call.mutable_server_process()->add_argv("/srv/files.js");
  return event;
}

inline pb::Event make_agent_call(const std::string& agent, double seconds) {
  pb::Event call = make_call(pb::SOURCE_SENSOR, seconds);
  call.set_agent_id(agent);
  call.mutable_process()->set_exe("/usr/bin/python3");
  call.mutable_llm_call()->add_tools_called("mcp__files__read");
  call.mutable_llm_call()->set_route("direct");
  return call;
}

inline pb::Event make_file(const std::string& agent, const std::string& file_class,
                           double seconds) {
  pb::Event event = make_sensor_event(seconds, agent);
  event.mutable_file_access()->set_path("/etc/shadow");
  event.mutable_file_access()->set_operation("read");
  event.mutable_file_access()->set_file_class(file_class);
  return event;
}

// A store with what reads and writes the inventory.
class FleetBench : public Bench {
 public:
  FleetBench() : fleet_(database()), book_(database()) {}
  store::InventoryReader& fleet() { return fleet_; }
  store::AssetBook& book() { return book_; }

  pb::AssetList assets(const pb::ListAssetsRequest& request = {}, double seconds = 100) {
    return must(fleet_.assets(request, at(seconds)));
  }
  // The one asset with that id of its producer, also when it is gone.
  pb::InventoryAsset asset(const std::string& asset_id, double seconds = 100) {
    pb::ListAssetsRequest request;
    request.set_include_gone(true);
    const pb::AssetList list = assets(request, seconds);
    for (const auto& asset : list.assets())
      if (asset.asset().asset_id() == asset_id) return asset;
    throw std::runtime_error("no asset " + asset_id);
  }
  pb::McpServer server() {
    const auto list = must(fleet_.mcp_servers({}));
    if (list.servers_size() != 1) throw std::runtime_error("not one MCP server");
    return must(fleet_.mcp_server(list.servers(0).id()));
  }
  void set_state(const std::string& id, const std::string& state, const std::string& owner) {
    pb::SetAssetStateRequest request;
    request.set_id(id);
    request.set_state(state);
    request.set_owner(owner);
    request.set_reason("reviewed");
    must(book_.set_state(request, "ops (1234abcd)", at(50)));
  }

 private:
  store::InventoryReader fleet_;
  store::AssetBook book_;
};

}  // namespace aispm::collector::test
