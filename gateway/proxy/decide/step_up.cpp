// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/step_up.hpp"

#include "gateway/proxy/decide/jwt.hpp"

namespace aispm::gateway {
namespace {

auto denied(const std::string& why) { return fail(Errc::kDenied, "step-up token: " + why); }

Result<> check_times(const StepUpConfig& config, const boost::json::object& claims, WallTime now) {
  const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
  const auto signed_in = number_claim(claims, "auth_time");
  if (claims.contains("auth_time") && !signed_in)
    return denied("has an auth_time that is no number");
  const auto issued = signed_in ? signed_in : number_claim(claims, "iat");
  if (!issued) return denied("has neither auth_time nor iat");
  if (*issued > seconds + kClockSkewSeconds) return denied("comes from the future");
  if (seconds - *issued > config.max_age.count())
    return denied("is older than " + std::to_string(config.max_age.count()) + " s: sign in again");
  const auto expires = number_claim(claims, "exp");
  if (claims.contains("exp") && (!expires || *expires <= seconds)) return denied("has expired");
  return {};
}

}  // namespace

Result<std::string> check_step_up(const StepUpConfig& config, std::string_view token,
                                  std::string_view agent_id, WallTime now) {
  if (config.keys.empty())
    return denied("this gateway knows no key that signs them (step_up.keys)");
  if (token.empty()) return denied("is missing; send it in the header x-aispm-step-up");
  const auto claims = read_jwt(token, config.keys);
  if (!claims) return denied(claims.error().message);
  AISPM_CHECK(check_times(config, *claims, now));
  if (!claims_one(*claims, "amr", "mfa")) return denied("shows no second factor (amr)");
  if (!config.issuer.empty() && text_claim(*claims, "iss") != config.issuer)
    return denied("has another issuer");
  if (!config.audience.empty() && !claims_one(*claims, "aud", config.audience))
    return denied("is for another audience");
  const std::string_view subject = text_claim(*claims, "sub");
  const std::string_view user = agent_id.substr(0, agent_id.find('/'));
  if (subject.empty() || (subject != agent_id && subject != user))
    return denied("is for somebody else than " + std::string(agent_id));
  return std::string(subject);
}

}  // namespace aispm::gateway
