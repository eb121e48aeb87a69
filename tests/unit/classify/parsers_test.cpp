// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sensor/classify/container.hpp"
#include "sensor/classify/http_answer.hpp"
#include "sensor/classify/mcp_config.hpp"
#include "sensor/classify/model_format.hpp"
#include "sensor/classify/program_text.hpp"

namespace aispm::sensor {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

const Signatures& signatures() {
  static const Signatures kBuiltin = Signatures::builtin().value();
  return kBuiltin;
}

std::vector<McpServerEntry> servers(const std::string& path, const std::string& text,
                                    std::string_view key = "") {
  const auto config = parse_config_file(path, text);
  EXPECT_TRUE(config) << path;
  return config ? find_mcp_servers(*config, key, signatures(), Secret("host key"))
                : std::vector<McpServerEntry>();
}

TEST(McpConfig, FindsServersInEveryDialect) {
  const auto claude = servers("claude_desktop_config.json", R"({"mcpServers": {
      "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/tmp"]},
      "remote": {"url": "https://user:pw@mcp.example/sse?token=abc"}}})");
  ASSERT_EQ(claude.size(), 2U);
  EXPECT_THAT(claude[0].argv,
              ElementsAre("npx", "-y", "@modelcontextprotocol/server-filesystem", "/tmp"));
  EXPECT_EQ(claude[1].url, "https://mcp.example/sse");
  const auto vscode = servers("mcp.json", R"({ // comment
      "servers": {"a": {"type": "stdio", "command": "uvx", "args": ["mcp-server-git"],}, } })");
  ASSERT_EQ(vscode.size(), 1U);
  const auto codex = servers("config.toml",
                             "model = \"o3\"\n[mcp_servers.docs]\ncommand = \"node\"\n"
                             "args = [\"/srv/docs.js\"]\nenv = { API_KEY = \"s3cret\" }\n");
  ASSERT_EQ(codex.size(), 1U);
  EXPECT_THAT(codex[0].argv, ElementsAre("node", "/srv/docs.js"));
  EXPECT_THAT(codex[0].credentials, ElementsAre(Field(&McpCredential::name, "API_KEY")));
  const auto goose = servers("config.yaml",
                             "extensions:\n  web:\n    cmd: uvx\n    args: [mcp-web]\n"
                             "    enabled: false\n");
  ASSERT_EQ(goose.size(), 1U);
  EXPECT_TRUE(goose[0].is_disabled);
  const auto opencode = servers("opencode.json", R"({"mcp": {"x": {"type": "local",
      "command": ["bun", "run", "/srv/x.ts"]}}})");
  ASSERT_EQ(opencode.size(), 1U);
  EXPECT_EQ(opencode[0].argv.size(), 3U);
  const auto projects = servers(".claude.json", R"({"projects": {"/p": {"mcpServers":
      {"db": {"command": "python3", "args": ["db.py"]}}}}})");
  ASSERT_EQ(projects.size(), 1U);
}

TEST(McpConfig, NamesCredentialsButNeverReferencesOrPlainValues) {
  const auto found = servers("mcp.json", R"({"mcpServers": {"a": {"command": "x", "env": {
      "GITHUB_TOKEN": "ghp_abc", "REF_TOKEN": "${env:X}", "LOG_LEVEL": "debug", "EMPTY_KEY": ""}}}})");
  ASSERT_EQ(found.size(), 1U);
  ASSERT_THAT(found[0].credentials, ElementsAre(Field(&McpCredential::name, "GITHUB_TOKEN")));
}

TEST(McpConfig, TellsEqualSecretsByAKeyedHashAndNeverTheirValues) {
  const std::string text = R"({"mcpServers": {"a": {"command": "x", "env": {"A_TOKEN": "s3cret"}},
      "b": {"command": "y", "env": {"B_TOKEN": "s3cret", "C_TOKEN": "other"}}}})";
  const auto found = servers("mcp.json", text);
  ASSERT_EQ(found.size(), 2U);
  const std::string hash = found[0].credentials[0].hash;
  EXPECT_EQ(hash.size(), 16U);
  EXPECT_EQ(found[1].credentials[0].hash, hash);
  EXPECT_NE(found[1].credentials[1].hash, hash);
  const auto config = parse_config_file("mcp.json", text).value();
  EXPECT_NE(
      find_mcp_servers(config, "", signatures(), Secret("another key"))[0].credentials[0].hash,
      hash);
  EXPECT_EQ(find_mcp_servers(config, "", signatures(), Secret())[0].credentials[0].hash, "");
}

// Found by fuzzing: each ended the parser's process in a debug build.
TEST(McpConfig, RefusesTomlThatItsParserTakesForGranted) {
  for (const char* text : {"[(", "[(]", "[[(a]]", "[=]\n", "[,a]\n"}) {
    const auto config = parse_config_file("config.toml", text);
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, Errc::kInvalid) << text;
  }
}

TEST(McpConfig, ReadsTomlBeyondAsciiAsItStands) {
  const auto config = parse_config_file(
      "config.toml", "\xef\xbb\xbf# \u00fc\n\"cl\u00e9\" = \"~/\u00fc~41 \u65e5\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->text_at("cl\u00e9"), "~/\u00fc~41 \u65e5");
  EXPECT_FALSE(parse_config_file("config.toml", "a = 1 \u00fc\n"));
  EXPECT_FALSE(parse_config_file("config.toml", "\u00fc = 1\n"));
}

TEST(McpConfig, FindsNothingElsewhere) {
  EXPECT_THAT(servers("settings.json", R"({"editor": {"tabs": 2}, "mcpServers": {"a": 1}})"),
              IsEmpty());
  EXPECT_FALSE(parse_config_file("a.json", "{"));
  EXPECT_FALSE(parse_config_file("a.toml", "= ="));
  EXPECT_FALSE(parse_config_file("a.yaml", "a: [b"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "[";
  EXPECT_FALSE(parse_config_file("a.json", "{\"a\":" + deep));
  // Aliases that multiply without end.
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) bomb += before + (k < 8 ? "," : "]\n");
  }
  EXPECT_EQ(parse_config_file("a.yaml", bomb).error().code, Errc::kTooLarge);
}

TEST(ProgramText, CallsAnMcpServerTheSameConfiguredAndRunning) {
  EXPECT_EQ(mcp_token({"npx", "-y", "@modelcontextprotocol/server-filesystem@1.2", "/tmp"}),
            "@modelcontextprotocol/server-filesystem");
  EXPECT_EQ(mcp_token({"node",
                       "/root/.npm/_npx/1/node_modules/@modelcontextprotocol/server-filesystem/"
                       "dist/index.js",
                       "/tmp"}),
            "@modelcontextprotocol/server-filesystem");
  EXPECT_EQ(mcp_token({"uvx", "--from", "git+x", "mcp-server-git==1.0"}), "mcp-server-git");
  EXPECT_EQ(mcp_token({"/usr/bin/python3", "/srv/db.py", "--secret", "x"}), "/srv/db.py");
  EXPECT_EQ(mcp_token({"python3", "-m", "mcp_server_time"}), "-m mcp_server_time");
  EXPECT_EQ(mcp_token({"docker", "run", "-i", "--rm", "mcp/github"}), "image mcp/github");
  EXPECT_EQ(mcp_token({"/opt/server", "--token", "x"}), "/opt/server");
  EXPECT_EQ(mcp_token({}), "");
}

TEST(ProgramText, KnowsWhatAnInterpreterRuns) {
  EXPECT_EQ(program_of("/usr/bin/python3.11", {"python3", "-X", "dev", "a.py", "--key", "s"}),
            "/usr/bin/python3.11 a.py");
  EXPECT_EQ(program_of("/usr/bin/python3.11", {"python3", "-m", "vllm", "serve"}),
            "/usr/bin/python3.11 -m vllm");
  EXPECT_EQ(program_of("/usr/bin/ollama", {"ollama", "serve"}), "/usr/bin/ollama");
  EXPECT_EQ(find_script("/usr/bin/node", {"node", "-e", "1"}).code, "1");
}

TEST(ProgramText, FindsImports) {
  EXPECT_THAT(
      find_imports("import os, openai as o\nfrom google.genai import x\n  import anthropic\n"
                   "from . import y\nprint('import fake')\n# import none\n",
                   Language::kPython),
      ElementsAre("os", "openai", "google.genai", "anthropic"));
  EXPECT_THAT(find_imports("import a from \"openai\"; const x = require('@anthropic-ai/sdk/y')\n"
                           "import './local.js'\n",
                           Language::kJavaScript),
              ElementsAre("openai", "@anthropic-ai/sdk"));
  EXPECT_THAT(find_imports("import openai", Language::kNone), IsEmpty());
}

TEST(ProgramText, TakesSecretsOutOfUrls) {
  EXPECT_EQ(plain_url("https://u:p@h.example:8/x?k=v#f"), "https://h.example:8/x");
  EXPECT_EQ(plain_url("not a url"), "");
  EXPECT_EQ(plain_url("a?token=x#y://h"), "");
}

std::string gguf(std::uint8_t version = 3) {
  std::string bytes = "GGUF";
  bytes += static_cast<char>(version);
  bytes.append(3, '\0');
  bytes += '\x05';
  bytes.append(7, '\0');
  bytes += '\x02';
  bytes.append(7, '\0');
  return bytes + "rest";
}

std::string format_of(std::string_view name, const std::string& head) {
  const ModelFormat found = find_model_format(name, head, head.size(), signatures());
  return found.format == nullptr ? "" : found.format->signature->id;
}

TEST(ModelFormat, KnowsModelsByTheirBytesSEN018) {
  EXPECT_EQ(format_of("a.gguf", gguf()), "model.gguf");
  EXPECT_EQ(format_of("sha256-0123", gguf()).substr(0, 6), "model.");
  EXPECT_EQ(format_of("renamed.txt", gguf()), "model.gguf");
  EXPECT_EQ(format_of("a.gguf", "GGUF"), "");
  EXPECT_EQ(format_of("a.gguf", gguf(0)), "");
  std::string tensors("\x10\0\0\0\0\0\0\0", 8);
  tensors += "{\"a\":{\"dtype\":1}}";
  EXPECT_EQ(format_of("m.safetensors", tensors), "model.safetensors");
  EXPECT_EQ(format_of("notes.txt", tensors), "");
  tensors[4] = '\x7f';  // a header longer than the file
  EXPECT_EQ(format_of("m.safetensors", tensors), "");
  EXPECT_EQ(format_of("m.pt", std::string("PK\x03\x04", 4) + "xx archive/data.pkl"),
            "model.pytorch-zip");
  EXPECT_EQ(format_of("m.zip", std::string("PK\x03\x04", 4) + "xx archive/data.pkl"), "");
  EXPECT_EQ(format_of("m.tflite", std::string("\x1c\0\0\0TFL3", 8)), "model.tensorflow-lite");
  EXPECT_EQ(format_of("m.onnx", "\x08\x07\x12\x07pytorch"), "model.onnx");
  EXPECT_EQ(format_of("m.onnx", "just text"), "");
  EXPECT_EQ(format_of("m.bin", "\x08\x07\x12\x07pytorch"), "");
  EXPECT_EQ(format_of("w.h5", "\x89HDF\r\n\x1a\n"), "model.hdf5-keras-weights");
  EXPECT_EQ(format_of("empty.gguf", ""), "");
}

const std::string kId(64, 'a');

TEST(Container, KnowsRuntimesByCgroupSEN023) {
  struct Case {
    std::string cgroup;
    std::string runtime;
  };
  const std::vector<Case> cases = {
      {"0::/system.slice/docker-" + kId + ".scope\n", "docker"},
      {"12:memory:/docker/" + kId + "\n0::/\n", "docker"},
      {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-"
       "pod0a1b2c3d_0000_1111_2222_333344445555.slice/cri-containerd-" +
           kId + ".scope\n",
       "containerd"},
      {"0::/kubepods/besteffort/pod0a1b2c3d-0000-1111-2222-333344445555/" + kId + "\n",
       "kubernetes"},
      {"0::/machine.slice/libpod-" + kId + ".scope/container\n", "podman"},
      {"0::/kubepods.slice/crio-" + kId + ".scope", "cri-o"},
  };
  for (const Case& c : cases) {
    const auto found = find_container(c.cgroup);
    ASSERT_TRUE(found) << c.cgroup;
    EXPECT_EQ(found->id, kId);
    EXPECT_EQ(found->runtime, c.runtime) << c.cgroup;
  }
  EXPECT_EQ(find_container(cases[2].cgroup)->pod, "0a1b2c3d-0000-1111-2222-333344445555");
  for (const std::string& none :
       {std::string("0::/user.slice/session-1.scope\n"), "0::/" + kId.substr(1) + "\n",
        "0::/x" + kId + "b\n", std::string(), std::string("garbage")})
    EXPECT_FALSE(find_container(none)) << none;
}

TEST(Container, ReadsImagesFromRuntimeFiles) {
  EXPECT_EQ(docker_image(R"({"ID":"x","Config":{"Image":"vllm/vllm-openai:v1"}})"),
            "vllm/vllm-openai:v1");
  EXPECT_EQ(oci_image(R"({"annotations":{"io.kubernetes.cri.image-name":"docker.io/x/y:1"}})"),
            "docker.io/x/y:1");
  EXPECT_EQ(podman_image(
                "[{\"id\":\"" + kId + R"(","metadata":"{\"image-name\":\"quay.io/a/b\"}"}])", kId),
            "quay.io/a/b");
  EXPECT_EQ(docker_image("{"), "");
  EXPECT_EQ(oci_image("[]"), "");
  EXPECT_EQ(podman_image("{}", kId), "");
}

TEST(HttpAnswer, FitsOnlyWhenEveryPartIsThere) {
  HttpFingerprint print;
  print.any_of = {"body=\"Ollama is running\"", "header=\"X-A\" && body=\"\\\"b\\\"\""};
  EXPECT_TRUE(fits(print, "HTTP/1.1 200 OK", "ollama IS running"));
  EXPECT_TRUE(fits(print, "x-a: 1", "{\"b\":1}"));
  EXPECT_FALSE(fits(print, "x-a: 1", "{}"));
  EXPECT_FALSE(fits(print, "", ""));
  for (const char* wrong :
       {"", "body=", "body=\"\"", "body=\"a", "title=\"a\"", "body=\"a\" || body=\"b\""})
    EXPECT_FALSE(parse_answer_condition(wrong)) << wrong;
}

}  // namespace
}  // namespace aispm::sensor
