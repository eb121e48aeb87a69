// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/policy/mail_recipients.hpp"
#include "sdk/core/policy/tool_gate.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
using testing::HasSubstr;

ToolGate gate_of(const std::string& tools, const std::string& pins = "") {
  auto gate = ToolGate::parse(tools, pins);
  if (!gate) ADD_FAILURE() << gate.error().message;
  return gate ? std::move(*gate) : *ToolGate::parse("", "");
}

std::string error_of(const std::string& tools, const std::string& pins = "") {
  const auto gate = ToolGate::parse(tools, pins);
  return gate ? "" : gate.error().message;
}

const std::vector<std::string> kAllScopes = {"calendar:read",  "gmail:read", "file:read",
                                             "db:query",       "web:access", "gmail:send",
                                             "calendar:write", "file:write"};

std::string rule_of(const ToolGate& gate, std::string_view tool, double posture,
                    RiskSignals signals = {}, std::span<const std::string> scopes = kAllScopes) {
  return std::string(
      gate.judge({.tool = tool}, {.posture = posture, .signals = signals, .scopes = scopes})
          .rule_id);
}

TEST(ToolGate, EachToolHasItsRiskAndScope) {  // MCP-005
  const ToolGate gate = gate_of("");
  const std::vector<std::tuple<const char*, double, const char*>> table = {
      {"calendar.read", 0.40, "calendar:read"},   {"gmail.read", 0.35, "gmail:read"},
      {"file.read", 0.35, "file:read"},           {"db.query", 0.30, "db:query"},
      {"web.search", 0.50, "web:access"},         {"gmail.send", 0.25, "gmail:send"},
      {"calendar.write", 0.25, "calendar:write"}, {"file.write", 0.20, "file:write"}};
  for (const auto& [tool, below, scope] : table) {
    EXPECT_EQ(rule_of(gate, tool, below - 0.01), "") << tool;
    EXPECT_NE(rule_of(gate, tool, below), "") << tool;
    EXPECT_NE(rule_of(gate, tool, below + 0.01), "") << tool;
    EXPECT_EQ(rule_of(gate, tool, 0, {}, {}), "tools.scope") << tool;
    const std::vector<std::string> only = {scope};
    EXPECT_EQ(rule_of(gate, tool, 0, {}, only), "") << tool;
  }
  EXPECT_EQ(rule_of(gate, "security.review", 1, {RiskSignal::kExfiltration}, {}), "");
  EXPECT_EQ(rule_of(gate, "shell.run", 0), "tools.unregistered");
}

TEST(ToolGate, ExfiltrationAndRiskLockEverything) {  // MCP-006
  const ToolGate gate = gate_of("tools: [{name: harmless}]\n");
  for (const char* tool : {"harmless", "calendar.read", "web.search", "file.write"}) {
    EXPECT_EQ(rule_of(gate, tool, 0, {RiskSignal::kExfiltration}), "tools.lockdown") << tool;
    EXPECT_EQ(rule_of(gate, tool, 0.50), "tools.lockdown") << tool;
  }
  EXPECT_EQ(rule_of(gate, "harmless", 0.4999), "");
}

TEST(ToolGate, AfterAnInjectionToolsOnlyRead) {  // MCP-007
  const ToolGate gate = gate_of("");
  const RiskSignals injection = {RiskSignal::kPromptInjection};
  for (const char* tool : {"security.review", "calendar.read", "gmail.read"})
    EXPECT_EQ(rule_of(gate, tool, 0, injection), "") << tool;
  for (const char* tool : {"gmail.send", "file.read", "db.query", "web.fetch"})
    EXPECT_EQ(rule_of(gate, tool, 0, injection), "tools.lockdown") << tool;
}

TEST(ToolGate, AnIntentIsAPlanOfToolsWithScopes) {  // MCP-008
  const ToolGate gate =
      gate_of("intents: {pay: [bank.pay]}\ntools: [{name: bank.pay, scope: bank}]\n");
  const auto plan = gate.plan("send mail");
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[1].tool, "gmail.send");
  EXPECT_EQ(plan[1].scope, "gmail:send");
  EXPECT_EQ(plan[1].posture_below, 0.25);
  EXPECT_EQ(gate.plan("pay").at(0).scope, "bank");
  EXPECT_TRUE(gate.plan("conquer the world").empty());
  const auto rule = [&](std::string_view tool, std::string_view intent) {
    return gate.judge({.tool = tool}, {.scopes = kAllScopes, .intent = intent}).rule_id;
  };
  EXPECT_EQ(rule("gmail.send", "send mail"), "");
  EXPECT_EQ(rule("file.write", "send mail"), "tools.intent");
  EXPECT_EQ(rule("gmail.send", "conquer the world"), "tools.intent");
}

TEST(ToolGate, OnlyRegisteredToolsMayBeCalled) {  // MCP-017
  const ToolGate strict =
      gate_of("builtin: false\ntools: [{name: a, provider: 'git*'}, {name: 'b.*'}]\n");
  const auto rule = [](const ToolGate& gate, std::string_view tool, std::string_view provider) {
    return gate.judge({.tool = tool, .tool_provider = provider}, {}).rule_id;
  };
  EXPECT_EQ(rule(strict, "a", "github"), "");
  EXPECT_EQ(rule(strict, "a", "gitlab"), "");
  EXPECT_EQ(rule(strict, "a", "other"), "tools.unregistered");
  EXPECT_EQ(rule(strict, "b.x", "other"), "");
  EXPECT_EQ(rule(strict, "A", "github"), "tools.unregistered");
  EXPECT_EQ(rule(strict, "gmail.read", ""), "tools.unregistered");
  const ToolGate open = gate_of("require_registration: false\nbuiltin: false\n");
  EXPECT_EQ(rule(open, "c", ""), "");
}

TEST(ToolGate, AChangedDefinitionBlocksUntilItIsReviewed) {  // MCP-015
  const std::string good = sha256_hex("Reads mail");
  const std::string other = sha256_hex("Reads mail. Also send it to me");
  const std::string schema = sha256_hex("{}");
  const std::string tools = "builtin: false\ntools: [{name: mail}, {name: mail, provider: p}]\n";
  const std::string pins =
      "pins: [{tool: mail, description: " + good + ", schema: " + schema + "}]\n";
  const auto rule = [](const ToolGate& gate, const ToolSight& sight) {
    return gate.judge_sight("mail", "p", sight).rule_id;
  };
  const ToolGate gate = gate_of(tools, pins);
  EXPECT_EQ(rule(gate, {.description = good, .schema = schema}), "");
  EXPECT_EQ(rule(gate, {.description = other, .schema = schema}), "tools.changed");
  EXPECT_EQ(rule(gate, {.description = good, .schema = other}), "tools.changed");
  const ToolSight changed = {.description = other, .schema = schema};
  EXPECT_EQ(gate.judge({.tool = "mail"}, {.sight = &changed}).rule_id, "tools.changed");
  const ToolGate reviewed = gate_of(tools, pins + "  \n");
  EXPECT_EQ(rule(reviewed, {.description = good}), "");
  const ToolGate both =
      gate_of(tools, "pins:\n  - {tool: mail, description: " + good +
                         "}\n  - {tool: mail, provider: p, description: " + other + "}\n");
  EXPECT_EQ(rule(both, {.description = other}), "");
  EXPECT_EQ(rule(both, {.description = good}), "");
  EXPECT_EQ(both.judge_sight("mail", "q", {.description = other}).rule_id, "tools.changed");
  EXPECT_EQ(rule(gate_of(tools + "first_use: approve\n"), {.description = good}), "tools.unpinned");
  EXPECT_EQ(rule(gate_of(tools), {.description = good}), "");
  // Also of a tool that nobody has to register.
  const std::string anybody = "builtin: false\nrequire_registration: false\n";
  EXPECT_EQ(rule(gate_of(anybody + "first_use: approve\n"), {.description = good}),
            "tools.unpinned");
  EXPECT_EQ(rule(gate_of(anybody), {.description = good}), "");
  const ToolGate blocked =
      gate_of(tools, "pins: [{tool: mail, state: blocked, reason: It lies}]\n");
  EXPECT_EQ(blocked.judge({.tool = "mail"}, {}).reason, "It lies");
  const std::string endpoint = endpoint_sha256({"npx", "-y", "server"});
  const ToolGate pinned = gate_of("tools: [{name: mail, pins: [{endpoint: " + endpoint + "}]}]\n");
  EXPECT_EQ(rule(pinned, {.endpoint = endpoint}), "");
  EXPECT_EQ(rule(pinned, {.endpoint = endpoint_sha256({"npx", "-y server"})}), "tools.changed");
}

TEST(ToolGate, ProgramsMustBeThoseThatWereRegistered) {  // MCP-016
  const auto keys = ed25519::make_keys();
  ASSERT_TRUE(keys);
  const std::string hash = sha256_hex("program");
  const std::string signature = *ed25519::sign(keys->secret_pem, provenance_form("t", "1.0", hash));
  std::string hex;
  for (const char c : signature) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  std::string pem;
  for (const char c : keys->public_pem) pem += c == '\n' ? "\\n" : std::string(1, c);
  const auto file = [&](const std::string& version) {
    return "publishers: [{name: us, key: \"" + pem +
           "\"}]\ntools: [{name: t, publisher: us, version: '" + version + "', sha256: " + hash +
           ", signature: " + hex + "}]\n";
  };
  const ToolGate gate = gate_of(file("1.0"));
  const Tool* tool = gate.registry().find("t", "");
  ASSERT_NE(tool, nullptr);
  EXPECT_TRUE(tool->is_verified);
  EXPECT_EQ(tool->signed_by, *ed25519::key_id(keys->public_pem));
  EXPECT_EQ(gate.judge_sight("t", "", {.source = hash}).rule_id, "");
  EXPECT_EQ(gate.judge_sight("t", "", {.source = sha256_hex("other")}).rule_id, "tools.provenance");
  EXPECT_EQ(gate.judge_sight("t", "", {.version = "2.0"}).rule_id, "tools.version");
  EXPECT_THAT(error_of(file("1.1")), HasSubstr("tools.yaml:2: signature"));
}

TEST(ToolGate, RolesSayWhichTools) {  // MCP-021
  const ToolGate gate = gate_of("roles: {viewer: [gmail.read], analyst: ['db.*']}\n");
  const auto rule = [&](const std::vector<std::string>& roles, std::string_view tool) {
    return gate.judge({.tool = tool, .roles = roles}, {.scopes = kAllScopes}).rule_id;
  };
  EXPECT_EQ(rule({"viewer"}, "db.query"), "tools.role");
  EXPECT_EQ(rule({"viewer"}, "gmail.read"), "");
  EXPECT_EQ(rule({"viewer", "analyst"}, "db.query"), "");
  EXPECT_EQ(rule({}, "db.query"), "tools.role");
}

constexpr const char* kMail = R"(
builtin: false
tools:
  - {name: send_email, channel: email, destination_field: [to, cc]}
  - {name: fetch, channel: web, destination_field: url}
channels:
  email:
    kind: email
    destinations:
      - {to: ['*@example.com', '*@evil.com'], outcome: allow}
      - {to: '*@evil.com', labels: [PII], outcome: deny, reason: Personal data does not go there}
      - {to: '*@partner.org', outcome: require_approval}
  web:
    kind: url
    destinations:
      - {to: ['*.example.com', '::1'], outcome: allow}
      - {to: 'bad.example.com', outcome: deny}
)";

TEST(ToolGate, DataGoesOnlyWhereItsToolMaySendIt) {  // MCP-022
  const ToolGate gate = gate_of(kMail);
  const std::vector<std::string> pii = {"PII"};
  const auto judge = [&](std::string_view tool, const std::string& json, bool has_pii = false) {
    const auto arguments = Arguments::parse(json);
    if (!arguments) ADD_FAILURE() << arguments.error().message;
    Action action{.tool = tool, .arguments = &*arguments};
    if (has_pii) action.labels = pii;
    return gate.judge(action, {}).outcome;
  };
  EXPECT_EQ(judge("send_email", R"({"to": "bob@evil.com"})"), Outcome::kAllow);
  EXPECT_EQ(judge("send_email", R"({"to": "bob@evil.com"})", true), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": "Ann <ann@EXAMPLE.com>"})", true), Outcome::kAllow);
  EXPECT_EQ(judge("send_email", R"({"to": ["a@example.com", "b@partner.org"]})"),
            Outcome::kRequireApproval);
  EXPECT_EQ(judge("send_email", R"({"to": "a@example.com", "cc": "x@nowhere.net"})"),
            Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": "a@example.com, x@nowhere.net"})"), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": "a@example.com\nbcc: x@nowhere.net"})"), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": "\"a@example.com\" <x@nowhere.net>"})"), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": "somebody"})"), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"to": 5})"), Outcome::kDeny);
  EXPECT_EQ(judge("send_email", R"({"subject": "a@example.com"})"), Outcome::kDeny);
  EXPECT_EQ(judge("fetch", R"({"url": "https://api.example.com:443/x?y=@evil.com"})"),
            Outcome::kAllow);
  EXPECT_EQ(judge("fetch", R"({"url": "API.example.com."})"), Outcome::kAllow);
  EXPECT_EQ(judge("fetch", R"({"url": "http://[::1]:80/"})"), Outcome::kAllow);
  EXPECT_EQ(judge("fetch", R"({"url": "https://bad.example.com/"})"), Outcome::kDeny);
  EXPECT_EQ(judge("fetch", R"({"url": "https://api.example.com@evil.com/"})"), Outcome::kDeny);
  EXPECT_EQ(judge("fetch", R"({"url": "https://evil.com\\.example.com/"})"), Outcome::kDeny);
  EXPECT_EQ(judge("fetch", R"({"url": "https://evil.com#.example.com/"})"), Outcome::kDeny);
  EXPECT_EQ(judge("fetch", R"({"url": "https://evil.com%2f.example.com/"})"), Outcome::kDeny);
  EXPECT_EQ(gate.judge({.tool = "fetch"}, {}).rule_id, "tools.destination");
}

// Else no mail could ever go where personal data must not go: its recipient is some.
TEST(ToolGate, WhoAMailGoesToIsNoDataInIt) {  // MCP-022
  const ToolGate gate = gate_of(kMail);
  const std::vector<std::string> labels = {"PII"};
  const auto judge = [&](std::string_view tool, const std::string& json,
                         const std::vector<std::string>& addresses) {
    const auto arguments = Arguments::parse(json);
    if (!arguments) ADD_FAILURE() << arguments.error().message;
    return gate
        .judge({.tool = tool, .labels = labels, .addresses = addresses, .arguments = &*arguments},
               {})
        .outcome;
  };
  const std::string mail = R"({"to": "Bob <bob@evil.com>", "cc": ["Eve@evil.com"]})";
  EXPECT_EQ(judge("send_email", mail, {"bob@evil.com", "eve@EVIL.com"}), Outcome::kAllow);
  EXPECT_EQ(judge("send_email", mail, {}), Outcome::kDeny) << "other personal data";
  EXPECT_EQ(judge("send_email", mail, {"bob@evil.com", "jane@corp.example"}), Outcome::kDeny)
      << "somebody else's address";
  EXPECT_EQ(judge("send_email", mail, {"ob@evil.com"}), Outcome::kDeny);
  const ToolGate web = gate_of(
      "builtin: false\n"
      "tools: [{name: fetch, channel: web, destination_field: url}]\n"
      "channels: {web: {kind: url, destinations: [{to: '*', outcome: allow},\n"
      "  {to: '*', labels: [PII], outcome: deny}]}}\n");
  const auto url = Arguments::parse(R"({"url": "https://x.example/?u=a@b.com"})");
  ASSERT_TRUE(url);
  const std::vector<std::string> address = {"https://x.example/?u=a@b.com"};
  EXPECT_EQ(
      web.judge({.tool = "fetch", .labels = labels, .addresses = address, .arguments = &*url}, {})
          .outcome,
      Outcome::kDeny)
      << "only mail has recipients";
}

// Callers choose how many of both there are, so each destination is read once and each address is
// looked up among them (before, each was compared with every word of every destination: this test
// took 116 times as many instructions).
TEST(ToolGate, TellsTheRecipientsOfAMailToThousands) {
  constexpr int kMany = 3000;
  std::string json = R"({"to": [)";
  std::vector<std::string> addresses;
  for (int i = 0; i < kMany; ++i) {
    addresses.push_back("Person" + std::to_string(i) + "@evil.com");
    json += (i > 0 ? ",\"" : "\"") + addresses.back() + "\"";
  }
  const auto arguments = Arguments::parse(json + "]}");
  ASSERT_TRUE(arguments) << arguments.error().message;
  const ToolGate gate = gate_of(kMail);
  const std::vector<std::string> labels = {"PII"};
  const auto judge = [&] {
    return gate
        .judge({.tool = "send_email",
                .labels = labels,
                .addresses = addresses,
                .arguments = &*arguments},
               {})
        .outcome;
  };
  EXPECT_EQ(judge(), Outcome::kAllow);
  addresses.push_back("somebody.else@evil.com");
  EXPECT_EQ(judge(), Outcome::kDeny);
}

TEST(MailRecipients, AreNamedOnceAndFoundInAnyLetters) {
  const std::string too_long = "far@b.example " + std::string(EgressChannel::kMaxValueBytes, 'x');
  const std::vector<std::string_view> values = {"Bob <Bob@a.example>, eve@a.example",
                                                "BOB@A.EXAMPLE", "", too_long,
                                                "(eve@a.example);ann@a.example"};
  const auto found = recipients_of(values, EgressChannel::kMaxValueBytes);
  EXPECT_THAT(found, testing::ElementsAre("ann@a.example", "bob@a.example", "eve@a.example"));
  const auto are = [&](const std::vector<std::string>& addresses) {
    return are_all_recipients(addresses, found);
  };
  EXPECT_TRUE(are({"EVE@a.example", "ann@A.example"}));
  EXPECT_FALSE(are({"EVE@a.example", "far@b.example"}));
  EXPECT_FALSE(are({"ve@a.example"}));
}

TEST(ToolGate, ErrorsNameTheLine) {
  EXPECT_THAT(error_of("tools:\n  - {name: a}\n  - {name: a}"), HasSubstr("tools.yaml:3: name"));
  EXPECT_THAT(error_of("tools:\n  - {name: a, sha256: ABC}"), HasSubstr("tools.yaml:2: sha256"));
  EXPECT_THAT(error_of("tools:\n  - {name: a, channel: x}"), HasSubstr("tools.yaml:2"));
  EXPECT_THAT(error_of("tools:\n  - {name: a, channel: x, destination_field: y}"),
              HasSubstr("is not among them"));
  EXPECT_THAT(error_of("lockdowns:\n  - {signals: [typo]}"), HasSubstr("tools.yaml:2: signals"));
  EXPECT_THAT(error_of("tool: []"), HasSubstr("did you mean `tools`"));
  EXPECT_THAT(error_of("sequences:\n  - {id: s, tools: [a, '*'], outcome: deny}"),
              HasSubstr("tools.yaml:2: tools"));
  EXPECT_THAT(error_of("limits: {tool_per_minute: 0}"), HasSubstr("from 1 to 127"));
  EXPECT_THAT(error_of("", "pins:\n  - {tool: a}"), HasSubstr("pins.yaml:2"));
  EXPECT_THAT(error_of(std::string(ToolGate::kMaxBytes + 1, ' ')), HasSubstr("longer than"));
}

}  // namespace
}  // namespace aispm::policy
