// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "sensor/classify/signatures.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm::sensor {
namespace {

using ::testing::HasSubstr;

std::string id(const Signature* found) { return found == nullptr ? "" : found->id; }

// Every kind has a hit and a miss here or in the cases of its own file.
TEST(SignatureKinds, HitAndMiss) {
  const Signatures known = Signatures::builtin().value();
  EXPECT_GT(known.size(), 1500U);
  EXPECT_EQ(id(known.find_package("pypi", "LangChain")), "package.langchain");
  EXPECT_EQ(id(known.find_package("npm", "left-pad")), "");
  EXPECT_EQ(id(known.find_package("no-such", "langchain")), "");
  EXPECT_NE(id(known.find_variable("ANTHROPIC_API_KEY")), "");
  EXPECT_EQ(id(known.find_variable("HOME")), "");
  EXPECT_EQ(id(known.find_image("docker.io/vllm/vllm-openai:v0.9@sha256:aa")), "image.vllm");
  EXPECT_EQ(id(known.find_image("vllm/vllm-openaix")), "");
  EXPECT_EQ(id(known.find_library("libtorch.so.2.1")), "library.torch");
  EXPECT_EQ(id(known.find_library("libtorchlight.so")), "");
  EXPECT_EQ(id(known.find_extension("vscode", "GitHub.copilot")), "extension.github-copilot");
  EXPECT_EQ(id(known.find_path("POST", "/model/anthropic.claude-3/invoke?x")),
            "path.bedrock-invokemodel");
  EXPECT_EQ(id(known.find_path("POST", "/model//invoke")), "");
  EXPECT_EQ(id(known.find_path("POST", "/v1beta/models/gemini-2.5:generateContent")),
            "path.gemini-generatecontent");
  EXPECT_EQ(id(known.find_port(8000)), "");
  EXPECT_GT(known.find_ports(8000).size(), 2U);
  EXPECT_EQ(known.find_ports(22).size(), 0U);
  EXPECT_FALSE(known.files().empty());
  EXPECT_FALSE(known.models().empty());
  EXPECT_GT(known.fingerprints().size(), 150U);
  EXPECT_LT(known.risk_of("azure.ai.openai").provider, known.risk_of("deepseek").provider);
}

TEST(SignatureKinds, MatchCommandLinesAndRiskyFlags) {
  const Signatures known = Signatures::builtin().value();
  auto matcher = known.make_command_matcher();
  ASSERT_TRUE(matcher);
  const auto ids = [&](const std::vector<std::string>& argv) {
    std::vector<std::string> found;
    for (const Signature* one : matcher->match(argv)) found.push_back(one->id);
    return found;
  };
  using ::testing::Contains;
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  EXPECT_THAT(ids({"codex", "--dangerously-bypass-approvals-and-sandbox"}),
              Contains("command.codex-or-gemini-with-approvals-off"));
  EXPECT_THAT(ids({"gemini", "--yolo"}), Contains("command.codex-or-gemini-with-approvals-off"));
  EXPECT_THAT(ids({"npx", "-y", "@modelcontextprotocol/server-git"}),
              Contains("command.mcp-server-through-npx"));
  EXPECT_THAT(ids({"ollama", "serve"}), ElementsAre("command.ollama"));
  EXPECT_THAT(ids({"/usr/bin/gcc", "-c", "mcp.c", "--yolo"}), IsEmpty());
  EXPECT_THAT(ids({}), IsEmpty());
  EXPECT_THAT(ids({std::string(100'000, 'a'), "ollama serve"}), IsEmpty());
  EXPECT_EQ(matcher->failures(), 0U);
}

TEST(SignatureKinds, SayWhatIsWrongAndWhere) {
  const std::string head = "schema: aispm.signatures/v1\n";
  const std::string common = "id: a, provider: p, name: n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"commands:\n  - {" + common + ", pattern: \"(\"}\n", "s.yaml:3: pattern"},
      {"commands:\n  - {" + common + "}\n", "pattern"},
      {"packages:\n  - {" + common + "}\n", "no package"},
      {"environment:\n  - {" + common + "}\n", "none given"},
      {"files:\n  - {" + common + ", paths: [\"~/../x\"]}\n", "\"..\""},
      {"files:\n  - {" + common + ", what: nonsense, paths: [x]}\n", "what"},
      {"models:\n  - {" + common + ", extensions: [.x], magic: \"0G\"}\n", "hex"},
      {"models:\n  - {" + common + ", extensions: [.x]}\n", "magic"},
      {"fingerprints:\n  - {" + common + ", path: /, any_of: [\"title=x\"]}\n", "any_of"},
      {"paths:\n  - {" + common + ", paths: [x]}\n", "begin with /"},
      {"images:\n  - {" + common + "}\n", "none given"},
      {"extensions:\n  - {" + common + "}\n", "no extension"},
      {"risks:\n  - {provider: p, risk: 2}\n", "risk"},
      {"disabled: [nothing]\n", "no signature"},
      {"ports:\n  - {" + common +
           ", port: 9, weak: true}\n  - {id: b, provider: p, name: n, port: 9}\n",
       "only `weak` ones may share"},
  };
  for (const auto& [content, wanted] : cases) {
    const auto signatures = Signatures::parse(head + content, "s.yaml");
    ASSERT_FALSE(signatures) << content;
    EXPECT_THAT(signatures.error().message, HasSubstr(wanted)) << content;
  }
}

TEST(SignatureKinds, AFolderAddsToOverridesAndDisables) {
  const aispm::testing::TempFolder folder;
  std::ofstream(folder.path() + "/mine.yaml")
      << "schema: aispm.signatures/v1\ndisabled: [process.aider]\n"
         "processes:\n  - {id: mine.corpbot, provider: corp, name: CorpBot, category: "
         "coding_agent, names: [corpbot]}\n"
         "  - {id: process.ollama, provider: corp, name: Ours, names: [ollama]}\n"
         "ports:\n  - {id: mine.port, provider: corp, name: Corp, port: 8000}\n";
  const auto loaded = Signatures::load(folder.path());
  ASSERT_TRUE(loaded) << loaded.error().message;
  model::Process process;
  process.exe = "/usr/bin/corpbot";
  EXPECT_EQ(id(loaded->find_process(process)), "mine.corpbot");
  process.exe = "/usr/bin/ollama";
  EXPECT_EQ(loaded->find_process(process)->name, "Ours");
  process.exe = "/usr/bin/aider";
  EXPECT_EQ(id(loaded->find_process(process)), "");
  process.exe = "/usr/bin/vllm";
  EXPECT_EQ(id(loaded->find_process(process)), "process.vllm");
  EXPECT_EQ(id(loaded->find_port(8000)), "mine.port");
  EXPECT_EQ(loaded->size(), Signatures::builtin()->size() + 1);  // two more, one less
}

}  // namespace
}  // namespace aispm::sensor
