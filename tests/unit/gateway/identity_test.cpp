// SPDX-License-Identifier: Apache-2.0
// POL-027, POL-028, POL-029, MCP-008: who acts, by the registry; trust as it counts; tasks that
// were handed on.
#include "gateway/proxy/decide/identity.hpp"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "gateway/proxy/decide/action_judge.hpp"
#include "gateway/proxy/decide/chain_freezes.hpp"
#include "gateway/proxy/decide/delegation.hpp"

namespace aispm::gateway {
namespace {

using policy::AgentRegistry;
using policy::TrustLevel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kNow = 1'800'000'000;

std::string encode(std::string_view text) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kDigits[(bits >> (count - 6)) & 63U];
  }
  if (count > 0) out += kDigits[(bits << (6 - count)) & 63U];
  return out;
}

// An agent's own key.
class Signer {
 public:
  Signer() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")) {}
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
  ~Signer() { EVP_PKEY_free(key_); }

  std::string public_pem() const {
    BIO* const bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key_);
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    return pem;
  }
  std::string token(const std::string& claims) const {
    const std::string text = encode(R"({"alg":"EdDSA"})") + "." + encode(claims);
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    std::string signature(64, '\0');
    std::size_t size = signature.size();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_);
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return text + "." + encode(signature);
  }
  std::string hands_on(const std::string& from, const std::string& to,
                       const std::string& more = "") const {
    return token(R"({"iss":")" + from + R"(","sub":")" + to +
                 R"(","aud":"aispm-delegation","exp":)" + std::to_string(kNow + 60) + more + "}");
  }

 private:
  EVP_PKEY* key_;
};

std::string yaml_key(const Signer& signer) {
  std::string text = signer.public_pem();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\\n");
  return "\"" + text + "\"";
}

struct World {
  Signer planner, coder, tester;
  AgentRegistry registry;
  explicit World(const std::string& head = "") {
    const std::string yaml =
        head +
        "agents:\n  - {agent: team/planner, roles: [read, write], scopes: [a, b], trust: verified, "
        "key: " +
        yaml_key(planner) +
        "}\n  - {agent: team/coder, roles: [write, admin], scopes: [b], trust: privileged, key: " +
        yaml_key(coder) +
        "}\n  - {agent: team/tester, roles: [write], trust: basic, key: " + yaml_key(tester) +
        "}\n  - {agent: team/robot, roles: [write], only_delegated: true}\n"
        "  - {agent: 'live/*', environment: prod, trust: verified}\n"
        "  - {agent: 'sealed/*', environment: prod, trust: verified, attested_until: "
        "2030-01-01T00:00:00Z}\n"
        "  - {agent: 'stale/*', trust: verified, attested_until: 2020-01-01T00:00:00Z}\n";
    auto parsed = AgentRegistry::parse(yaml, "agents.yaml");
    EXPECT_TRUE(parsed) << parsed.error().message;
    if (parsed) registry = std::move(*parsed);
  }
  Identity ask(IdentityAsk asked) const {
    asked.now = WallTime{kNow * 1'000'000'000};
    return identify(registry, asked);
  }
};

TEST(Identity, IsWhatTheRegistrySays) {
  const World world;
  const Identity known = world.ask({.agent_id = "team/planner", .now = {}});
  EXPECT_TRUE(known.is_registered);
  EXPECT_THAT(known.facts.roles, ElementsAre("read", "write"));
  EXPECT_EQ(known.facts.trust, TrustLevel::kVerified);
  EXPECT_FALSE(known.objection);
  const Identity stranger = world.ask({.agent_id = "team/nobody", .now = {}});
  EXPECT_FALSE(stranger.is_registered);
  EXPECT_THAT(stranger.facts.roles, IsEmpty());
  EXPECT_EQ(stranger.facts.trust, TrustLevel::kUntrusted);
}

// POL-027: 25 points a level, less what speaks against it.
TEST(Identity, ScoresTrustWhereTheRegistrySaysSo) {
  const World plain;
  const World scored("trust: scored\n");
  EXPECT_EQ(plain.ask({.agent_id = "live/x", .hour = 3, .now = {}}).facts.trust,
            TrustLevel::kVerified);
  EXPECT_EQ(scored.ask({.agent_id = "live/x", .now = {}}).facts.trust,
            TrustLevel::kBasic);  // not attested
  EXPECT_EQ(scored.ask({.agent_id = "sealed/x", .now = {}}).facts.trust, TrustLevel::kVerified);
  EXPECT_EQ(scored.ask({.agent_id = "sealed/x", .hour = 3, .now = {}}).facts.trust,
            TrustLevel::kBasic);
  EXPECT_EQ(scored.ask({.agent_id = "sealed/x", .denials_in_row = 3, .now = {}}).facts.trust,
            TrustLevel::kVerified);
  EXPECT_EQ(scored.ask({.agent_id = "sealed/x", .denials_in_row = 4, .now = {}}).facts.trust,
            TrustLevel::kBasic);
  EXPECT_EQ(scored.ask({.agent_id = "stale/x", .now = {}}).facts.trust,
            TrustLevel::kBasic);  // expired
}

TEST(Identity, HasNoMoreRightsThanWhoHandedTheTaskOn) {
  const World world;
  const Identity child =
      world.ask({.agent_id = "team/coder",
                 .delegation = world.planner.hands_on("team/planner", "team/coder"),
                 .now = {}});
  EXPECT_FALSE(child.objection);
  EXPECT_EQ(child.delegation_depth, 1U);
  EXPECT_THAT(child.facts.roles, ElementsAre("write"));
  EXPECT_THAT(child.facts.scopes, ElementsAre("b"));
  EXPECT_EQ(child.facts.trust, TrustLevel::kVerified);
}

TEST(Identity, RefusesChainsThatAreTooDeepOrCircles) {
  const World world("max_delegation: 1\n");
  const std::string first = world.planner.hands_on("team/planner", "team/coder");
  const std::string second = world.coder.hands_on("team/coder", "team/tester");
  const Identity deep =
      world.ask({.agent_id = "team/tester", .delegation = first + ", " + second, .now = {}});
  ASSERT_TRUE(deep.objection);
  EXPECT_EQ(deep.objection->rule_id, "agent.delegation");
  EXPECT_THAT(deep.objection->reason, HasSubstr("more than 1 times"));
  EXPECT_THAT(deep.facts.roles, IsEmpty());
  const World wide("max_delegation: 5\n");
  const Identity circle =
      wide.ask({.agent_id = "team/planner",
                .delegation = wide.planner.hands_on("team/planner", "team/coder") + "," +
                              wide.coder.hands_on("team/coder", "team/planner"),
                .now = {}});
  ASSERT_TRUE(circle.objection);
}

// POL-028: what runs for an agent that is stopped is cut, not only what it begins.
TEST(ChainFreezes, HearOfEverybodyWhoHandedTheTaskOn) {
  const World world;
  const std::string header = world.planner.hands_on("team/planner", "team/coder") + ", " +
                             world.coder.hands_on("team/coder", "team/tester") + ",x, ";
  EXPECT_THAT(issuers_of(header), ElementsAre("team/planner", "team/coder"));
  EXPECT_THAT(issuers_of(std::string(20'000, ',')), IsEmpty());
  FreezeList list;
  unsigned stopped = 0;
  unsigned told = 0;
  std::optional<FreezeList::Entry> entry(
      std::in_place, list, FreezeKey{.agent = "team/tester", .session = {}, .tenant = {}},
      hear_for_chain(list, header, [&](const policy::Freeze* freeze) {
        ++told;
        if (freeze != nullptr) ++stopped;
      }));
  const auto freeze = [&](policy::FreezeScope scope, const char* value) {
    policy::Freeze one;
    one.scope = scope;
    one.value = policy::Glob(value);
    stopped = told = 0;
    list.apply(policy::FreezeBook(std::vector<policy::Freeze>{one}), {kNow * 1'000'000'000});
    return stopped;
  };
  EXPECT_EQ(freeze(policy::FreezeScope::kAgent, "team/planner"), 1U);
  EXPECT_EQ(freeze(policy::FreezeScope::kAgent, "team/coder"), 1U);
  EXPECT_EQ(freeze(policy::FreezeScope::kUser, "team"), 3U);  // it, and both
  EXPECT_EQ(freeze(policy::FreezeScope::kAgent, "team/other"), 0U);
  EXPECT_EQ(told, 1U);  // that it is free: of itself alone
  entry.reset();
  EXPECT_EQ(freeze(policy::FreezeScope::kAgent, "team/planner"), 0U);
  EXPECT_EQ(told, 0U);
}

TEST(Identity, RefusesTokensThatProveNothing) {
  const World world;
  const auto why = [&](const std::string& header) {
    const Identity identity =
        world.ask({.agent_id = "team/coder", .delegation = header, .now = {}});
    return identity.objection ? identity.objection->reason : "";
  };
  const Signer other;
  EXPECT_THAT(why(other.hands_on("team/planner", "team/coder")), HasSubstr("not signed"));
  EXPECT_THAT(why(other.hands_on("team/nobody", "team/coder")), HasSubstr("no key is registered"));
  EXPECT_THAT(why(world.planner.hands_on("team/planner", "team/tester")), HasSubstr("not for"));
  EXPECT_THAT(why(world.planner.hands_on("team/planner", "team/coder", R"(,"iat":1900000000)")),
              HasSubstr("future"));
  const auto claims = [&](const std::string& text) { return why(world.planner.token(text)); };
  EXPECT_THAT(claims(R"({"iss":"team/planner","sub":"team/coder","aud":"aispm-delegation"})"),
              HasSubstr("no exp"));
  EXPECT_THAT(
      claims(R"({"iss":"team/planner","sub":"team/coder","aud":"aispm-delegation","exp":1})"),
      HasSubstr("expired"));
  EXPECT_THAT(
      claims(
          R"({"iss":"team/planner","sub":"team/coder","aud":"aispm-delegation","exp":1900000000})"),
      HasSubstr("more than a day"));
  EXPECT_THAT(claims(R"({"iss":"team/planner","sub":"team/coder","aud":"aispm","exp":1800000060})"),
              HasSubstr("something else"));
  for (const char* nonsense : {",", "x", "a.b.c", " , "}) EXPECT_NE(why(nonsense), "") << nonsense;
  EXPECT_NE(why(std::string(20'000, 'x')), "");
}

// GRD-009: who stops an agent stops those that act for it.
TEST(Identity, ActsForNobodyWhomAnOperatorHasStopped) {
  const World world;
  const auto objection = [&](policy::FreezeScope scope, const char* whom, IdentityAsk asked) {
    policy::Freeze freeze;
    freeze.scope = scope;
    freeze.value = policy::Glob(whom);
    freeze.reason = "odd mail";
    const policy::FreezeBook book({freeze});
    asked.freezes = &book;
    const Identity child = world.ask(asked);
    return child.objection ? child.objection->rule_id + ": " + child.objection->reason : "";
  };
  const std::string first = world.planner.hands_on("team/planner", "team/coder");
  const std::string both = first + "," + world.coder.hands_on("team/coder", "team/tester");
  const IdentityAsk one{.agent_id = "team/coder", .delegation = first, .now = {}};
  const IdentityAsk two{.agent_id = "team/tester", .delegation = both, .now = {}};
  using policy::FreezeScope;
  EXPECT_EQ(objection(FreezeScope::kAgent, "team/planner", one),
            "agent.frozen: An operator has stopped team/planner, for whom this agent acts: odd "
            "mail");
  EXPECT_THAT(objection(FreezeScope::kAgent, "team/coder", two), HasSubstr("agent.frozen"));
  EXPECT_THAT(objection(FreezeScope::kUser, "team", one), HasSubstr("agent.frozen"));
  EXPECT_EQ(objection(FreezeScope::kAgent, "team/other", one), "");
  // Of itself it is told where requests are taken.
  EXPECT_EQ(objection(FreezeScope::kAgent, "team/coder", one), "");
}

// POL-029: a run that runs for another one has no more rights than that has.
TEST(Identity, ARunHasNoMoreRightsThanThoseItRunsFor) {
  const World world;
  const std::vector<model::RunParent> planner = {{"team/planner", "s-1"}};
  const Identity child = world.ask({.agent_id = "team/coder", .parents = planner, .now = {}});
  EXPECT_FALSE(child.objection) << child.objection->reason;
  EXPECT_EQ(child.delegation_depth, 1U);
  EXPECT_THAT(child.facts.roles, ElementsAre("write"));
  EXPECT_THAT(child.facts.scopes, ElementsAre("b"));
  EXPECT_EQ(child.facts.trust, TrustLevel::kVerified);
  // A stranger to the registry has no rights to hand on.
  const std::vector<model::RunParent> stranger = {{"nobody/x", "s-1"}};
  EXPECT_THAT(world.ask({.agent_id = "team/coder", .parents = stranger, .now = {}}).facts.roles,
              IsEmpty());
  // It is no proof that somebody handed the task on.
  EXPECT_TRUE(world.ask({.agent_id = "team/robot", .parents = planner, .now = {}}).objection);
}

TEST(Identity, RunsForRunsAreLimitedInDepth) {
  const World world("max_delegation: 2\n");
  std::vector<model::RunParent> parents = {{"team/coder", "s-1"}, {"team/coder", "s-2"}};
  const Identity own = world.ask({.agent_id = "team/coder", .parents = parents, .now = {}});
  EXPECT_FALSE(own.objection) << "who runs for itself has the same rights";
  EXPECT_EQ(own.delegation_depth, 2U);
  EXPECT_THAT(own.facts.roles, ::testing::Not(IsEmpty()));
  EXPECT_FALSE(object_to_parents(world.registry, "team/coder", parents));
  parents.push_back({"team/coder", "s-3"});
  const Identity deep = world.ask({.agent_id = "team/coder", .parents = parents, .now = {}});
  ASSERT_TRUE(deep.objection);
  EXPECT_THAT(deep.objection->reason, HasSubstr("more than 2 times"));
  EXPECT_THAT(deep.facts.roles, IsEmpty());
  EXPECT_TRUE(object_to_parents(world.registry, "team/coder", parents));
  const std::vector<model::RunParent> circle = {{"team/planner", "s-1"}, {"team/coder", "s-2"}};
  EXPECT_TRUE(object_to_parents(world.registry, "team/planner", circle));
  // Tokens and runs are one chain.
  const std::vector<model::RunParent> planner = {{"team/planner", "s-1"}};
  EXPECT_EQ(world
                .ask({.agent_id = "team/coder",
                      .parents = planner,
                      .delegation = world.planner.hands_on("team/planner", "team/coder"),
                      .now = {}})
                .delegation_depth,
            1U);
}

// GRD-009, POL-029: what stops a run stops those that run for it.
TEST(FreezeKey, FindsWhatStopsThoseItRunsFor) {
  const FreezeKey key{
      .agent = "team/coder", .session = "s-2", .tenant = {}, .parents = {{"team/planner", "s-1"}}};
  const auto finds = [&](policy::FreezeScope scope, const char* value, bool kills = false) {
    policy::Freeze one;
    one.scope = scope;
    one.value = policy::Glob(value);
    one.kills = kills;
    policy::Freeze own;
    own.scope = policy::FreezeScope::kSession;
    own.value = policy::Glob("s-2");
    const policy::FreezeBook book(std::vector<policy::Freeze>{one});
    const policy::FreezeBook both(std::vector<policy::Freeze>{own, one});
    const policy::Freeze* const found = key.find(book, {});
    EXPECT_NE(key.find(both, {}), nullptr);
    EXPECT_EQ(found != nullptr && key.find(both, {})->kills, kills);
    return found != nullptr;
  };
  EXPECT_TRUE(finds(policy::FreezeScope::kSession, "s-1"));
  EXPECT_TRUE(finds(policy::FreezeScope::kAgent, "team/planner", true));
  EXPECT_FALSE(finds(policy::FreezeScope::kSession, "s-3"));
}

TEST(Identity, SomeActOnlyForOthers) {
  const World world;
  EXPECT_TRUE(world.ask({.agent_id = "team/robot", .now = {}}).objection);
  EXPECT_FALSE(world
                   .ask({.agent_id = "team/robot",
                         .delegation = world.planner.hands_on("team/planner", "team/robot"),
                         .now = {}})
                   .objection);
}

// What the user asked for is said by who was asked first; who acts cannot say something else.
TEST(Identity, TakesTheIntentOfTheTask) {
  const World world;
  const std::string token =
      world.planner.hands_on("team/planner", "team/coder", R"(,"intent":"send mail")");
  EXPECT_EQ(world.ask({.agent_id = "team/coder", .delegation = token, .now = {}}).intent,
            "send mail");
  EXPECT_EQ(world.ask({.agent_id = "team/coder", .intent = "read mail", .now = {}}).intent,
            "read mail");
  EXPECT_TRUE(
      world.ask({.agent_id = "team/coder", .delegation = token, .intent = "edit a file", .now = {}})
          .objection);
}

// MCP-008
TEST(Identity, AnIntentAllowsOnlyItsTools) {
  auto bundle = policy::Bundle::compile(
      {{"tools.yaml",
        "require_registration: false\nbuiltin: false\nintents: {send mail: [gmail.send]}\n"}});
  ASSERT_TRUE(bundle) << bundle.error().message;
  const auto view = PolicyView::make("test", *bundle, true);
  const AgentFacts facts;
  const auto rule = [&](std::string_view tool, std::string_view intent) {
    return judge_action(*view, {.agent_id = "bob", .facts = &facts, .intent = intent},
                        {.tool = tool}, WallTime{kNow * 1'000'000'000})
        .rule_id;
  };
  EXPECT_EQ(rule("gmail.send", "send mail"), "tools.allow");
  EXPECT_EQ(rule("db.query", "send mail"), "tools.intent");
  EXPECT_EQ(rule("gmail.send", "never heard of"), "tools.intent");
  EXPECT_EQ(rule("db.query", ""), "tools.allow");
}

TEST(AgentRegistry, NamesWhatIsWrong) {
  for (const auto& [yaml, why] :
       {std::pair("agents: [{roles: [x]}]\n", "agent"),
        std::pair("agents: [{agent: x, trust: much}]\n", "trust"),
        std::pair("agents: [{agent: x, attested_until: soon}]\n", "attested_until"),
        std::pair("max_delegation: -1\n", "max_delegation"),
        std::pair("strangers: yes\n", "strangers")}) {
    const auto parsed = AgentRegistry::parse(yaml, "agents.yaml");
    ASSERT_FALSE(parsed) << yaml;
    EXPECT_THAT(parsed.error().message, HasSubstr("agents.yaml:1"));
    EXPECT_THAT(parsed.error().message, HasSubstr(why));
  }
}

}  // namespace
}  // namespace aispm::gateway
