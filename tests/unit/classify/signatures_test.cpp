// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/signatures.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "sdk/core/common/id.hpp"

namespace aispm::sensor {
namespace {

using testing::HasSubstr;

Signatures builtin() {
  auto signatures = Signatures::builtin();
  EXPECT_TRUE(signatures) << signatures.error().message;
  return std::move(signatures).value();
}

std::string provider(const Signatures& signatures, std::string_view host) {
  const Signature* found = signatures.find_host(host);
  return found == nullptr ? "" : found->provider;
}

model::Process process(std::string exe, std::vector<std::string> argv = {},
                       std::string comm = "x") {
  model::Process one;
  one.exe = std::move(exe);
  one.argv = std::move(argv);
  one.comm = std::move(comm);
  return one;
}

TEST(Signatures, KnowProvidersByHost) {
  const Signatures signatures = builtin();
  EXPECT_GT(signatures.size(), 150U);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"api.openai.com", "openai"},
      {"API.OpenAI.com:443", "openai"},
      {"api.openai.com.", "openai"},
      {"mycompany.openai.azure.com", "azure.ai.openai"},
      {"api.anthropic.com", "anthropic"},
      {"bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"},
      {"us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"},
      {"generativelanguage.googleapis.com", "gcp.gemini"},
      {"openrouter.ai", "openrouter"},
      {"api.mistral.ai", "mistral_ai"},
      {"chatgpt.com", "openai"},
      {"openai.azure.com.evil.example", ""},
      {"notapi.openai.com.evil", ""},
      {"evilopenai.azure.com", ""},
      {"s3.eu-west-1.amazonaws.com", ""},
      {"bedrock-runtime.a.b.amazonaws.com", ""},
      {"bedrock-runtime..amazonaws.com", ""},
      {"localhost:8443", ""},
      {"[::1]:443", ""},
      {"", ""},
      {"example.com", ""},
  };
  for (const auto& [host, wanted] : cases) EXPECT_EQ(provider(signatures, host), wanted) << host;
}

TEST(Signatures, KnowPorts) {
  const Signatures signatures = builtin();
  ASSERT_NE(signatures.find_port(11434), nullptr);
  EXPECT_EQ(signatures.find_port(11434)->provider, "ollama");
  EXPECT_EQ(signatures.find_port(443), nullptr);
}

TEST(Signatures, KnowProgramsByExecutableScriptAndTaskName) {
  const Signatures signatures = builtin();
  const auto id = [&](const model::Process& one) {
    const Signature* found = signatures.find_process(one);
    return found == nullptr ? std::string() : found->id;
  };
  EXPECT_EQ(id(process("/usr/local/bin/ollama")), "process.ollama");
  EXPECT_EQ(id(process("/usr/bin/node", {"node", "--no-warnings", "/usr/local/bin/claude"})),
            "process.claude-code");
  EXPECT_EQ(
      id(process("/usr/bin/python3.11", {"python3", "/home/a/.venv/bin/aider.py", "--model"})),
      "process.aider");
  EXPECT_EQ(id(process("/opt/x/launcher", {}, "codex")), "process.codex");
  EXPECT_EQ(id(process("/usr/bin/cat", {"cat", "/usr/local/bin/claude"})), "");
  EXPECT_EQ(id(process("/usr/bin/python3", {"python3", "agent.py"})), "");
  EXPECT_EQ(id(process("/usr/bin/python3", {"python3"})), "");
  EXPECT_EQ(id(process("", {})), "");
}

TEST(Signatures, SayWhatIsWrongAndWhere) {
  const std::string head = "schema: aispm.signatures/v1\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hosts: []\n", "schema"},
      {"schema: other/v9\n", "s.yaml:1: "},
      {head + "hostz: []\n", "s.yaml:2"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [a.b], extra: 1}\n", "extra"},
      {head + "hosts:\n  - {provider: p, name: n, exact: [a.b]}\n", "id"},
      {head + "hosts:\n  - {id: a, provider: p, name: n}\n", "no host"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [A.b]}\n", "lower-case"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [\"*.b.c\"]}\n", "lower-case"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [a.b], confidence: 2}\n",
       "confidence"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [a.b]}\n  - {id: a, provider: p, "
              "name: n, exact: [c.d]}\n",
       "used twice"},
      {head + "hosts:\n  - {id: a, provider: p, name: n, exact: [a.b]}\n  - {id: b, provider: p, "
              "name: n, exact: [a.b]}\n",
       "another signature"},
      {head + "ports:\n  - {id: a, provider: p, name: n, port: 70000}\n", "port"},
      {head + "ports:\n  - {id: a, provider: p, name: n}\n", "port"},
      {head + "processes:\n  - {id: a, provider: p, name: n, names: [/bin/a]}\n", "base name"},
      {head + "processes:\n  - {id: a, provider: p, name: n}\n", "no program name"},
      {head +
           "ports:\n  - {id: a, provider: p, name: n, port: 9}\ncases:\n  - {port: 9, expect: b}\n",
       "s.yaml:5: "},
      {head + "cases:\n  - {host: a.b, expect: x}\n", "a.b gives none, not x"},
      {head + "cases:\n  - {host: a.b}\n", "expect"},
  };
  for (const auto& [content, wanted] : cases) {
    const auto signatures = Signatures::parse(content, "s.yaml");
    ASSERT_FALSE(signatures) << content;
    EXPECT_EQ(signatures.error().code, Errc::kInvalid) << content;
    EXPECT_THAT(signatures.error().message, HasSubstr(wanted)) << content;
  }
}

TEST(Signatures, LoadAFolderLikeTheBuiltInOnes) {
  const auto shipped = Signatures::load(std::string(AISPM_SOURCE_DIR) + "/policies/signatures");
  ASSERT_TRUE(shipped) << shipped.error().message;
  EXPECT_EQ(shipped->size(), builtin().size());
}

TEST(Signatures, RefuseAMissingOrEmptyFolder) {
  const auto folder = std::filesystem::temp_directory_path() / ("aispm-signatures-" + make_uuid());
  EXPECT_EQ(Signatures::load(folder.string()).error().code, Errc::kUnavailable);
  std::filesystem::create_directory(folder);
  EXPECT_EQ(Signatures::load(folder.string()).error().code, Errc::kNotFound);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace aispm::sensor
