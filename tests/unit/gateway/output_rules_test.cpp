// SPDX-License-Identifier: Apache-2.0
// POL-014: what the Rego module `output` says of a reply holds for whole replies and for streams.
#include "gateway/proxy/pipeline/output_rules.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;
using ::testing::HasSubstr;
using ::testing::Not;

// The gateway's own rules let everything pass: only the module speaks.
constexpr char kOpenPolicy[] =
    "defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n";

std::shared_ptr<const PolicyView> output_module(bool enforced = true) {
  std::ifstream file(std::string(AISPM_SOURCE_DIR) + "/policies/rego/output.rego");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto bundle = policy::Bundle::compile({{"rego/output.rego", text}});
  EXPECT_TRUE(bundle) << bundle.error().message;
  return PolicyView::make("test", *bundle, enforced);
}

struct Reply {
  ScanContext context = make_context(kOpenPolicy);
  ActionGate gate;
  explicit Reply(PolicySet policies)
      : gate(context, std::move(policies),
             {.agent_id = "bob/agent",
              .tenant = {},
              .session_id = {},
              .facts = {},
              .surface = "reply",
              .provider = {},
              .model = {}},
             {}) {}
  void open() {
    EXPECT_EQ(gate.open_reply(policy::GuardVerdict::kAllow, context.output), nullptr);
    if (context.output)
      context.tables = with_output(*context.book, *context.tables, *context.output);
  }
};

TEST(OutputModule, SaysTheStricterOfSecretGuardAndPersonalData) {
  const auto policy = output_module();
  const AgentFacts facts;
  const auto rule = [&](ReplyFacts reply) {
    const ActionVerdict said =
        judge_output(*policy, {.agent_id = "bob", .facts = &facts}, reply, wall_now());
    return said.rule_id + " " + std::string(model::name_of(said.outcome));
  };
  constexpr auto kBlock = policy::GuardVerdict::kBlock;
  EXPECT_EQ(rule({}), "output.allow allow");
  EXPECT_EQ(rule({.guard = policy::GuardVerdict::kFlag}), "output.allow allow");
  EXPECT_EQ(rule({.has_pii = true}), "output.pii redact");
  EXPECT_EQ(rule({.guard = kBlock}), "output.guard deny");
  EXPECT_EQ(rule({.has_pii = true, .guard = kBlock}), "output.guard deny");
  EXPECT_EQ(rule({.has_secret = true}), "output.secret deny");
  EXPECT_EQ(rule({.has_secret = true, .has_pii = true, .guard = kBlock}), "output.secret deny");
}

TEST(OutputModule, DeniesAReplyThatTheGuardBlocksBeforeItBegins) {
  Reply reply({.enforced = output_module(), .monitored = {}});
  const JudgedAction* const denied =
      reply.gate.open_reply(policy::GuardVerdict::kBlock, reply.context.output);
  ASSERT_NE(denied, nullptr);
  EXPECT_EQ(denied->verdict.rule_id, "output.guard");
  EXPECT_EQ(denied->verdict.outcome, Outcome::kDeny);
}

std::string whole_reply(const std::string& text) {
  return R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
         text + R"("},"finish_reason":"stop"}]})";
}

TEST(OutputModule, StopsASecretInAWholeReply) {
  const std::string body = whole_reply("it is " + kSecret);
  const auto parsed = codec::parse_reply(codec::Api::kOpenAiChat, body);
  ASSERT_TRUE(parsed);
  Reply unasked({});
  unasked.open();
  EXPECT_FALSE(scan_reply(unasked.context, codec::Api::kOpenAiChat, *parsed)->findings.denied());
  Reply asked({.enforced = output_module(), .monitored = {}});
  asked.open();
  const auto scanned = scan_reply(asked.context, codec::Api::kOpenAiChat, *parsed);
  ASSERT_TRUE(scanned);
  EXPECT_TRUE(scanned->findings.denied());
  EXPECT_EQ(scanned->findings.verdict.rule_id, "output.secret");
}

TEST(OutputModule, StopsASecretInAStreamBeforeItLeaves) {
  Reply reply({.enforced = output_module(), .monitored = {}});
  reply.open();
  StreamRelay relay(reply.context, {.api = codec::Api::kOpenAiChat,
                                    .strip_usage = false,
                                    .case_id = "c",
                                    .model = "m",
                                    .now = 1,
                                    .gate = &reply.gate});
  std::string out;
  const std::string stream = openai_text("fine. ") + openai_text("it is " + kSecret.substr(0, 9)) +
                             openai_text(kSecret.substr(9) + " ok") + openai("{}", "\"stop\"") +
                             "data: [DONE]\n\n";
  EXPECT_EQ(relay.feed(stream, out), StreamRelay::State::kBlocked);
  EXPECT_THAT(out, HasSubstr("fine."));
  EXPECT_THAT(out, Not(HasSubstr(kSecret.substr(0, 9))));
  EXPECT_THAT(out, HasSubstr("output.secret"));
}

TEST(OutputModule, RedactsWhereItSaysSo) {
  auto rules = std::make_shared<OutputRules>();
  rules->secret = {Outcome::kRedact, "own.secret", "cut out"};
  ScanContext context = make_context(kOpenPolicy);
  context.output = rules;
  context.tables = with_output(*context.book, *context.tables, *rules);
  const auto parsed = codec::parse_reply(codec::Api::kOpenAiChat, whole_reply("it is " + kSecret));
  ASSERT_TRUE(parsed);
  const auto scanned = scan_reply(context, codec::Api::kOpenAiChat, *parsed);
  ASSERT_TRUE(scanned);
  EXPECT_FALSE(scanned->findings.denied());
  EXPECT_EQ(scanned->findings.redactions, 1U);
  EXPECT_EQ(scanned->patches.size(), 1U);
  // What tools get is not a reply.
  EXPECT_EQ(context.tables->of_reply(detect::Surface::kToolArguments)[0], Outcome::kAllow);
}

TEST(OutputModule, IsRecordedAndOnlyWatchedWhereNotEnforced) {
  Reply reply({.enforced = output_module(), .monitored = {output_module(false)}});
  reply.gate.close_reply({});
  EXPECT_TRUE(reply.gate.actions().empty());
  reply.gate.close_reply({.has_pii = true});
  ASSERT_EQ(reply.gate.actions().size(), 1U);
  EXPECT_EQ(reply.gate.actions().front().verdict.outcome, Outcome::kRedact);
  ASSERT_EQ(reply.gate.watched().size(), 1U);
  Reply watched({.enforced = nullptr, .monitored = {output_module(false)}});
  watched.open();
  EXPECT_EQ(watched.context.output, nullptr);
}

}  // namespace
}  // namespace aispm::gateway
