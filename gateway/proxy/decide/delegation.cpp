// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/delegation.hpp"

#include "gateway/proxy/decide/jwt.hpp"

namespace aispm::gateway {
namespace {

constexpr std::string_view kAudience = "aispm-delegation";
constexpr std::int64_t kMaxLifeSeconds = 24 * 3600;

auto denied(const std::string& why) { return fail(Errc::kDenied, "delegation: " + why); }

// The token's own word on who hands it on; checked by that agent's key.
std::string issuer_of(std::string_view token) {
  const auto claims = peek_jwt(token);
  return claims ? std::string(text_claim(*claims, "iss")) : std::string();
}

Result<> check_times(const boost::json::object& claims, WallTime now) {
  const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
  const auto expires = number_claim(claims, "exp");
  if (!expires) return denied("a token has no exp");
  if (*expires <= seconds) return denied("a token has expired");
  if (*expires > seconds + kMaxLifeSeconds) return denied("a token is good for more than a day");
  const auto issued = number_claim(claims, "iat");
  if (issued && *issued > seconds + kClockSkewSeconds)
    return denied("a token comes from the future");
  return {};
}

// The first token of `rest`, which then begins behind it.
std::string_view next_token(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(','), rest.size());
  std::string_view token = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  return token;
}

// Adds one step to the chain.
Result<> take(const policy::AgentRegistry& registry, std::string_view token, WallTime now,
              Handed& handed) {
  const std::string issuer = issuer_of(token);
  const policy::RegisteredAgent* const from = registry.find(issuer);
  if (from == nullptr || from->key.empty())
    return denied("no key is registered for " + (issuer.empty() ? "who signed" : issuer));
  const auto claims = read_jwt(token, std::span(&from->key, 1));
  if (!claims) return denied("a token " + claims.error().message);
  AISPM_CHECK(check_times(*claims, now));
  if (!claims_one(*claims, "aud", kAudience)) return denied("a token is for something else");
  const std::string_view to = text_claim(*claims, "sub");
  if (to.empty()) return denied("a token names nobody who may act");
  if (handed.chain.empty())
    handed.chain.push_back(issuer);
  else if (handed.chain.back() != issuer)
    return denied(issuer + " was not asked by " + handed.chain.back());
  handed.chain.emplace_back(to);
  const std::string_view intent = text_claim(*claims, "intent");
  if (!intent.empty() && !handed.intent.empty() && handed.intent != intent)
    return denied("its tokens name different intents");
  if (!intent.empty()) handed.intent = intent;
  return {};
}

}  // namespace

Result<Handed> read_delegation(const policy::AgentRegistry& registry, std::string_view header,
                               std::string_view agent_id, WallTime now) {
  Handed handed;
  for (std::string_view rest = header; !rest.empty();) {
    const std::string_view token = next_token(rest);
    if (handed.chain.size() >= policy::kMaxDelegationChain) return denied("too many tokens");
    AISPM_CHECK(take(registry, token, now, handed));
  }
  if (handed.chain.empty()) return denied("it holds no token");
  if (handed.chain.back() != agent_id)
    return denied("its last token is for " + handed.chain.back() + ", not for " +
                  std::string(agent_id));
  return handed;
}

std::vector<std::string> issuers_of(std::string_view header) {
  std::vector<std::string> issuers;
  for (std::string_view rest = header;
       !rest.empty() && issuers.size() < policy::kMaxDelegationChain;)
    if (std::string issuer = issuer_of(next_token(rest)); !issuer.empty())
      issuers.push_back(std::move(issuer));
  return issuers;
}

}  // namespace aispm::gateway
