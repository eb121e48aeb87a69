// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/inventory.hpp"

#include <gmock/gmock.h>

namespace aispm::sensor {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class InventoryTest : public testing::Test {
 protected:
  InventoryTest() : inventory_(Signatures::builtin().value(), registry(), "host") {}

  static Registry registry() {
    Registry registry;
    registry.executables = {"/opt/approved"};
    return registry;
  }
  static model::Process process(std::string exe, std::vector<std::string> argv = {},
                                std::uint32_t pid = 10) {
    model::Process one;
    one.id = {pid, BootTime{20'000'000 + pid}};
    one.exe = std::move(exe);
    one.argv = std::move(argv);
    one.uid = 1000;
    one.user = "alice";
    return one;
  }
  // The one change there must be.
  model::Asset only() {
    auto changes = inventory_.take_changes();
    EXPECT_THAT(changes, SizeIs(1));
    detections_ = changes.empty() ? std::vector<model::Detection>() : changes[0].detections;
    return changes.empty() ? model::Asset() : changes[0].asset;
  }
  static FoundFile mcp_file(std::string path, std::vector<McpServerEntry> servers) {
    FoundFile file;
    file.path = std::move(path);
    file.uid = 1000;
    file.user = "alice";
    file.what = "mcp";
    file.is_project = true;
    file.evidence.item = {"config_file", file.path, "mcp.cursor", 0.6};
    file.evidence.name = "Cursor";
    file.evidence.category = "coding_agent";
    file.servers = std::move(servers);
    return file;
  }

  Inventory inventory_;
  std::vector<model::Detection> detections_;
};

TEST_F(InventoryTest, ListsACodingAgentOnceForAllItsProcesses) {
  inventory_.on_exec(process("/home/a/.local/bin/claude", {"claude"}, 10));
  const model::Asset first = only();
  EXPECT_EQ(first.kind, "coding_agent");
  EXPECT_EQ(first.name, "Claude Code");
  EXPECT_EQ(first.provider, "anthropic");
  EXPECT_GE(first.confidence, 0.9);
  EXPECT_FALSE(first.evidence.empty());
  EXPECT_EQ(first.asset_id.size(), 32U);
  inventory_.on_exec(process("/usr/bin/node", {"node", "/usr/local/bin/claude"}, 11));
  for (const auto& change : inventory_.take_changes())
    EXPECT_EQ(change.asset.asset_id, first.asset_id);
  inventory_.on_exit({10, BootTime{20'000'010}});
  for (const auto& change : inventory_.take_changes()) EXPECT_FALSE(change.asset.gone);
  inventory_.on_exit({11, BootTime{20'000'011}});
  EXPECT_TRUE(only().gone);
  EXPECT_EQ(inventory_.size(), 0U);
}

TEST_F(InventoryTest, NeedsASecondKindOfEvidenceForASharedPort) {
  model::SocketListen listen;
  listen.address = "127.0.0.1";
  listen.port = 8000;
  inventory_.on_listen(process("/usr/sbin/nginx"), listen);
  EXPECT_THAT(inventory_.take_changes(), IsEmpty());
  HttpAnswer answer;
  answer.port = 8000;
  answer.evidence.item = {"http_answer", "GET /version", "fingerprint.vllm", 0.8};
  answer.evidence.provider = "vllm";
  answer.evidence.name = "vLLM";
  answer.evidence.category = "local_model";
  inventory_.on_answer(process("/usr/sbin/nginx"), answer);
  const model::Asset asset = only();
  EXPECT_EQ(asset.kind, "model_server");
  EXPECT_EQ(asset.name, "vLLM");
  EXPECT_DOUBLE_EQ(asset.confidence, 0.86);
  EXPECT_EQ(asset.attributes.at("listen"), "127.0.0.1:8000");
}

TEST_F(InventoryTest, KnowsAModelServerByItsOwnPortSEN015) {
  model::SocketListen listen;
  listen.address = "0.0.0.0";
  listen.port = 11434;
  inventory_.on_listen(process("/usr/bin/python3", {"python3", "-m", "http.server"}), listen);
  const model::Asset asset = only();
  EXPECT_EQ(asset.kind, "model_server");
  EXPECT_EQ(asset.name, "Ollama");
}

TEST_F(InventoryTest, KnowsACodingAgentByItsUserAgent) {
  inventory_.on_client_words(process("/opt/tool"), "claude-cli/2.1.3 (external, cli)",
                             {"Host", "Anthropic-Version"});
  const model::Asset asset = only();
  EXPECT_EQ(asset.kind, "coding_agent");
  EXPECT_EQ(asset.name, "Claude Code");
  EXPECT_THAT(asset.evidence,
              testing::Contains(testing::Field(&model::Evidence::type, "user_agent")));
  EXPECT_THAT(asset.evidence,
              testing::Contains(testing::Field(&model::Evidence::type, "http_header")));
}

TEST_F(InventoryTest, AClientOfAServerIsNoServer) {
  inventory_.on_client_words(process("/opt/tool"), "ollama-python/0.4", {"Mcp-Session-Id"});
  EXPECT_NE(only().kind, "model_server");
  inventory_.on_client_words(process("/opt/other", {}, 11), "curl/8.1", {"Host", "Accept"});
  EXPECT_THAT(inventory_.take_changes(), IsEmpty());
}

TEST_F(InventoryTest, ListsConfiguredMcpServersAndSeesThemRunSEN015) {
  McpServerEntry server;
  server.name = "db";
  server.argv = {"python3", "/srv/db.py"};
  server.credentials = {{"DB_TOKEN", "0123456789abcdef"}};
  inventory_.on_file(mcp_file("/home/a/.cursor/mcp.json", {server}));
  const model::Asset configured = only();
  EXPECT_EQ(configured.kind, "mcp_server");
  EXPECT_EQ(configured.name, "db");
  EXPECT_EQ(configured.attributes.at("running"), "no");
  EXPECT_EQ(configured.attributes.at("credentials"), "DB_TOKEN");
  ASSERT_THAT(detections_, SizeIs(1));
  EXPECT_EQ(detections_[0].rule_id, "secret.mcp_config");
  EXPECT_EQ(detections_[0].evidence, "DB_TOKEN: keyed hash 0123456789abcdef");
  inventory_.on_exec(process("/usr/bin/python3.11", {"python3", "/srv/db.py"}));
  const model::Asset running = only();
  EXPECT_EQ(running.asset_id, configured.asset_id);
  EXPECT_EQ(running.attributes.at("running"), "yes");
  EXPECT_GT(running.confidence, configured.confidence - 0.01);
  inventory_.on_exit({10, BootTime{20'000'010}});
  EXPECT_EQ(only().attributes.at("running"), "no");
  inventory_.on_file_gone("/home/a/.cursor/mcp.json");
  EXPECT_TRUE(only().gone);
}

// The collector refuses a name of more than 256 bytes, and an asset of more than 64 KiB.
TEST_F(InventoryTest, NoNameAndNoListIsTooLongToBeTold) {
  McpServerEntry server;
  server.name = std::string(300, '\xff');
  server.argv = {"python3", "/srv/db.py"};
  server.credentials = {{std::string(100'000, 'T'), "0123456789abcdef"}};
  inventory_.on_file(mcp_file("/home/a/" + std::string(4000, 'd') + "/mcp.json", {server}));
  const model::Asset asset = only();
  EXPECT_LE(asset.name.size(), 256U);
  EXPECT_THAT(asset.name, testing::EndsWith("…"));
  std::size_t bytes = asset.explanation.size();
  for (const auto& one : asset.evidence) bytes += one.value.size();
  for (const auto& [name, value] : asset.attributes) bytes += value.size();
  EXPECT_LT(bytes, 16'000U);
}

TEST_F(InventoryTest, IsSureOfWhatItSawInPlaintext) {
  model::LlmCall call;
  call.api = "openai.chat";
  call.host = "api.deepseek.com";
  call.provider = "deepseek";
  call.request_model = "deepseek-chat";
  call.request_bytes = 200'000;
  inventory_.on_llm_call(process("/usr/bin/python3", {"python3", "app.py"}), call, false);
  const model::Asset client = only();
  EXPECT_EQ(client.kind, "sdk_client");
  EXPECT_EQ(client.confidence, 1.0);
  EXPECT_EQ(client.attributes.at("models"), "deepseek-chat");
  EXPECT_EQ(client.attributes.at("risk_level"), "critical");  // SEN-011
  ASSERT_THAT(detections_, SizeIs(1));
  EXPECT_EQ(detections_[0].severity, model::Severity::kCritical);
  call.tools_offered = {"shell"};
  inventory_.on_llm_call(process("/usr/bin/python3", {"python3", "app.py"}), call, false);
  const auto changes = inventory_.take_changes();
  ASSERT_THAT(changes, SizeIs(2));  // what offers tools is an agent, and no mere client any more
  EXPECT_TRUE(changes[0].asset.gone);
  EXPECT_EQ(changes[1].asset.kind, "agent");
}

TEST_F(InventoryTest, JudgesNoSanctionedUse) {
  model::LlmCall call;
  call.api = "openai.chat";
  call.provider = "deepseek";
  call.request_bytes = 200'000;
  inventory_.on_llm_call(process("/opt/approved"), call, false);
  EXPECT_EQ(only().attributes.at("sanctioned"), "exe:/opt/approved");
  EXPECT_THAT(detections_, IsEmpty());
}

TEST_F(InventoryTest, KnowsServersByWhatTheyAnswer) {
  model::LlmCall call;
  call.api = "ollama.chat";
  call.provider = "ollama";
  inventory_.on_llm_call(process("/srv/x"), call, true);
  EXPECT_EQ(only().kind, "model_server");
  model::McpCall mcp;
  mcp.protocol = "mcp";
  mcp.transport = "stdio";
  mcp.server_name = "weather";
  mcp.server_version = "1.2";
  mcp.server_process = process("/usr/bin/python3", {"python3", "w.py"}, 12);
  inventory_.on_mcp_call(process("/srv/agent", {}, 11), mcp);
  const auto changes = inventory_.take_changes();
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].asset.kind, "agent");
  EXPECT_EQ(changes[1].asset.kind, "mcp_server");
  EXPECT_EQ(changes[1].asset.name, "weather");
  EXPECT_EQ(changes[1].asset.version, "1.2");
}

TEST_F(InventoryTest, ReportsGpuUsersAndModelFilesSEN018SEN019) {
  ProcessScan scan;
  scan.process = process("/usr/bin/python3", {"python3", "train.py"});
  EvidenceItem device;
  device.item = {"device", "/dev/nvidia0", "device.nvidia", 0.8};
  device.provider = "nvidia";
  device.category = "gpu";
  scan.evidence = {device};
  ModelFile model;
  model.path = "/m/a.gguf";
  model.format = "GGUF";
  model.rule = "model.gguf";
  model.confidence = 0.95;
  model.load_risk = "low";
  model.sha256 = "ab";
  scan.models = {model};
  inventory_.on_scan(scan);
  const auto changes = inventory_.take_changes();
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].asset.kind, "model_file");
  EXPECT_EQ(changes[0].asset.attributes.at("sha256"), "ab");
  EXPECT_EQ(changes[1].asset.kind, "gpu_user");
  EXPECT_EQ(changes[1].asset.attributes.at("registered"), "no");
  scan.evidence.clear();
  scan.models.clear();
  inventory_.on_scan(scan);  // both were closed
  for (const auto& change : inventory_.take_changes()) EXPECT_TRUE(change.asset.gone);
}

TEST_F(InventoryTest, CallsAContainerSocketInAnAgentCriticalSEN028) {
  inventory_.on_exec(process("/usr/bin/claude", {"claude", "--dangerously-skip-permissions"}));
  EXPECT_EQ(only().attributes.count("risky_flags"), 1U);
  ASSERT_THAT(detections_, SizeIs(1));
  EXPECT_EQ(detections_[0].rule_id, "posture.safety_off");
  ProcessScan scan;
  scan.process = process("/usr/bin/claude", {"claude"});
  scan.sees_docker_socket = true;
  inventory_.on_scan(scan);
  only();
  ASSERT_THAT(detections_, SizeIs(1));
  EXPECT_EQ(detections_[0].rule_id, "posture.container_socket_in_agent");
  EXPECT_EQ(detections_[0].severity, model::Severity::kCritical);
}

TEST_F(InventoryTest, TellsAllAgainInAResyncAndOnlyNewsOtherwise) {
  inventory_.on_exec(process("/usr/bin/claude", {"claude"}, 10));
  inventory_.on_exec(process("/usr/bin/ollama", {"ollama", "serve"}, 11));
  EXPECT_THAT(inventory_.take_changes(), SizeIs(2));
  EXPECT_THAT(inventory_.take_changes(), IsEmpty());
  inventory_.on_exec(process("/usr/bin/ls", {"ls", "-l"}, 12));
  EXPECT_THAT(inventory_.take_changes(), IsEmpty());
  const auto all = inventory_.resync("r1");
  ASSERT_THAT(all, SizeIs(2));
  for (const auto& change : all) {
    EXPECT_EQ(change.asset.resync_id, "r1");
    EXPECT_EQ(change.asset.resync_size, 2U);
  }
}

TEST_F(InventoryTest, TellsFindingsAlsoWhenTheFirstWordIsAResync) {
  inventory_.on_exec(process("/usr/bin/claude", {"claude", "--dangerously-skip-permissions"}));
  EXPECT_THAT(inventory_.resync("r1").at(0).detections, SizeIs(1));
  EXPECT_THAT(inventory_.resync("r2").at(0).detections, IsEmpty());
}

TEST_F(InventoryTest, KnowsProgramsWhoseExecItDidNotSee) {
  ProcessScan scan;
  scan.process = process("/usr/bin/claude", {"claude", "--dangerously-skip-permissions"});
  inventory_.on_scan(scan);
  EXPECT_EQ(only().name, "Claude Code");
  EXPECT_THAT(detections_, SizeIs(1));
  scan.process = process("/usr/bin/ls", {"ls"}, 11);
  inventory_.on_scan(scan);
  EXPECT_THAT(inventory_.take_changes(), IsEmpty());
}

TEST_F(InventoryTest, GivesTheSameIdOnTheSameHostOnly) {
  inventory_.on_exec(process("/usr/bin/ollama", {"ollama"}));
  const std::string id = only().asset_id;
  Inventory again(Signatures::builtin().value(), {}, "host");
  Inventory elsewhere(Signatures::builtin().value(), {}, "other");
  for (Inventory* one : {&again, &elsewhere})
    one->on_exec(process("/usr/bin/ollama", {"ollama"}, 99));
  EXPECT_EQ(again.take_changes().at(0).asset.asset_id, id);
  EXPECT_NE(elsewhere.take_changes().at(0).asset.asset_id, id);
}

TEST_F(InventoryTest, CountsWhatItCannotHold) {
  for (std::uint32_t pid = 1; pid <= Inventory::kMaxProcesses + 5; ++pid)
    inventory_.on_exec(process("/usr/bin/ollama", {"ollama"}, pid));
  EXPECT_EQ(inventory_.refused(), 5U);
}

}  // namespace
}  // namespace aispm::sensor
