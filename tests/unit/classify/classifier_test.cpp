// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/classifier.hpp"

#include <gmock/gmock.h>

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

Classifier make(Registry registry = {}, Classifier::Options options = {}) {
  return Classifier(Signatures::builtin().value(), std::move(registry), options);
}

model::Process process(std::string exe = "/usr/bin/python3", std::uint32_t pid = 10) {
  model::Process one;
  one.id = {pid, BootTime{1}};
  one.exe = std::move(exe);
  one.uid = 1000;
  one.cgroup_id = 77;
  return one;
}

model::LlmCall call(std::string model = "gpt-4o") {
  model::LlmCall one;
  one.api = "openai.chat";
  one.host = "api.openai.com";
  one.provider = "openai";
  one.request_model = std::move(model);
  return one;
}

TEST(Classifier, NamesTheProviderOfACall) {
  const Classifier classifier = make();
  EXPECT_EQ(classifier.provider_of("api.openai.com", codec::Api::kOpenAiChat), "openai");
  EXPECT_EQ(classifier.provider_of("127.0.0.1:9443", codec::Api::kOpenAiChat), "openai-compatible");
  EXPECT_EQ(classifier.provider_of("llm.corp.example", codec::Api::kAnthropicMessages),
            "anthropic-compatible");
}

TEST(Classifier, IsSureOfACallInPlaintext) {
  Classifier classifier = make();
  const auto use = classifier.on_llm_call(process(), call(), BootTime{kSecond});
  ASSERT_TRUE(use);
  EXPECT_EQ(use->evidence, "llm_call");
  EXPECT_EQ(use->provider, "openai");
  EXPECT_EQ(use->model, "gpt-4o");
  EXPECT_EQ(use->host, "api.openai.com");
  EXPECT_EQ(use->confidence, 1.0);
  EXPECT_EQ(use->rule, "host.openai.llm_api");
  EXPECT_FALSE(use->sanctioned);
}

TEST(Classifier, AnnouncesTheSameUseAgainOnlyAfterAWhile) {
  Classifier classifier = make();
  EXPECT_TRUE(classifier.on_llm_call(process(), call(), BootTime{kSecond}));
  EXPECT_FALSE(classifier.on_llm_call(process(), call(), BootTime{2 * kSecond}));
  EXPECT_FALSE(classifier.on_llm_call(process(), call(), BootTime{600 * kSecond}));
  EXPECT_TRUE(classifier.on_llm_call(process(), call("o3"), BootTime{2 * kSecond}));
  EXPECT_TRUE(
      classifier.on_llm_call(process("/usr/bin/python3", 11), call(), BootTime{2 * kSecond}));
  EXPECT_TRUE(classifier.on_llm_call(process(), call(), BootTime{602 * kSecond}));
  EXPECT_FALSE(classifier.on_llm_call(process(), call(), BootTime{603 * kSecond}));
  EXPECT_EQ(classifier.held_back(), 3U);
}

TEST(Classifier, RemembersABoundedNumber) {
  Classifier::Options options;
  options.max_remembered = 3;
  Classifier classifier = make({}, options);
  for (std::uint32_t pid = 1; pid <= 10; ++pid)
    EXPECT_TRUE(classifier.on_llm_call(process("/x", pid), call(), BootTime{kSecond}));
  EXPECT_EQ(classifier.remembered(), 3U);
  EXPECT_TRUE(classifier.on_llm_call(process("/x", 1), call(), BootTime{kSecond}));
  EXPECT_FALSE(classifier.on_llm_call(process("/x", 10), call(), BootTime{kSecond}));
}

TEST(Classifier, TakesSanctionFromTheRegistryOnly) {
  struct Case {
    Registry registry;
    bool sanctioned;
  };
  const std::vector<Case> cases = {
      {{{"/usr/bin/python3"}, {}, {}}, true},
      {{{"/usr/bin/"}, {}, {}}, true},
      {{{"/usr/bin/py"}, {}, {}}, false},
      {{{}, {77}, {}}, true},
      {{{}, {78}, {}}, false},
      {{{}, {}, {1000}}, true},
      {{{}, {}, {0}}, false},
      {{{"/usr/bin"}, {}, {}}, false},
  };
  for (const Case& c : cases) {
    Classifier classifier = make(c.registry);
    const auto use = classifier.on_llm_call(process(), call(), BootTime{kSecond});
    ASSERT_TRUE(use);
    EXPECT_EQ(use->sanctioned, c.sanctioned);
  }
  Registry everything{{"/"}, {}, {}};
  EXPECT_FALSE(everything.find(process("")));
}

TEST(Classifier, KnowsAHostWhateverItIsAsked) {
  Classifier classifier = make();
  const auto use =
      classifier.on_host(process(), "generativelanguage.googleapis.com", BootTime{kSecond});
  ASSERT_TRUE(use);
  EXPECT_EQ(use->evidence, "endpoint");
  EXPECT_EQ(use->provider, "gcp.gemini");
  EXPECT_LT(use->confidence, 1.0);
  EXPECT_FALSE(classifier.on_host(process(), "example.com", BootTime{kSecond}));
}

TEST(Classifier, KnowsPortsOfLocalModels) {
  Classifier classifier = make();
  model::SocketConnect connect;
  connect.destination_address = "127.0.0.1";
  connect.destination_port = 11434;
  const auto use = classifier.on_connect(process(), connect, BootTime{kSecond});
  ASSERT_TRUE(use);
  EXPECT_EQ(use->evidence, "endpoint");
  EXPECT_EQ(use->host, "127.0.0.1:11434");
  EXPECT_EQ(use->provider, "ollama");
  connect.destination_port = 443;
  EXPECT_FALSE(classifier.on_connect(process(), connect, BootTime{kSecond}));
}

TEST(Classifier, TrustsAPortMoreWhenTheProgramFits) {
  Classifier classifier = make();
  model::SocketListen listen;
  listen.address = "127.0.0.1";
  listen.port = 11434;
  const auto guess = classifier.on_listen(process("/usr/bin/x", 1), listen, BootTime{kSecond});
  const auto sure = classifier.on_listen(process("/usr/bin/ollama", 2), listen, BootTime{kSecond});
  ASSERT_TRUE(guess && sure);
  EXPECT_EQ(sure->evidence, "listener");
  EXPECT_LT(guess->confidence, sure->confidence);
  listen.port = 8080;
  EXPECT_TRUE(classifier.on_listen(process("/opt/llama-server", 3), listen, BootTime{kSecond}));
  EXPECT_FALSE(classifier.on_listen(process("/usr/sbin/nginx", 4), listen, BootTime{kSecond}));
  // An agent that listens (for a callback, say) is no model server.
  EXPECT_FALSE(classifier.on_listen(process("/usr/bin/claude", 5), listen, BootTime{kSecond}));
}

TEST(Classifier, KnowsProgramsAtExec) {
  Classifier classifier = make();
  const auto use = classifier.on_exec(process("/home/a/.local/bin/claude"), BootTime{kSecond});
  ASSERT_TRUE(use);
  EXPECT_EQ(use->evidence, "process");
  EXPECT_EQ(use->provider, "anthropic");
  EXPECT_FALSE(classifier.on_exec(process("/usr/bin/bash"), BootTime{kSecond}));
}

}  // namespace
}  // namespace aispm::sensor
