// SPDX-License-Identifier: Apache-2.0
#include "sandbox/doctor.hpp"

#include <algorithm>
#include <iostream>

#include "sandbox/apply/doctor.hpp"
#include "sandbox/launch.hpp"
#include "sandbox/plan/profiles.hpp"
#include "sandbox/supervise/gateway_link.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {
namespace {

using State = HostFact::State;

HostFact gateway(const std::string& socket) {
  const std::string meaning = "the way out: models, tools, allowed hosts";
  if (socket.empty()) return {State::kGood, "gateway", "not wanted (--offline)", meaning, ""};
  if (auto connected = connect_unix(socket); !connected)
    return {State::kWeaker, "gateway", "no answer", "only --offline runs start",
            connected.error().message + ": ./dev up, or --gateway SOCKET"};
  return {State::kGood, "gateway", "answers", meaning, ""};
}

HostFact trial_run(const Host& host) {
  LaunchOptions trial;
  trial.request.profile = profile_for("true");
  trial.request.command = {"/bin/true"};
  trial.request.session_id = make_uuid();
  const auto ended = launch(host, trial);
  const std::string meaning = "/bin/true in the whole sandbox";
  if (ended && *ended == 0) return {State::kGood, "trial run", "works", meaning, ""};
  return {State::kMissing, "trial run", ended ? "exit code " + std::to_string(*ended) : "refused",
          meaning, ended ? "see above" : ended.error().message};
}

}  // namespace

int run_doctor(const Host& host, const std::string& gateway_socket) {
  auto facts = examine_host();
  facts.push_back(gateway(gateway_socket));
  facts.push_back(trial_run(host));
  std::cout << table_of(facts);
  return std::any_of(facts.begin(), facts.end(),
                     [](const HostFact& fact) { return fact.state == State::kMissing; })
             ? 1
             : 0;
}

}  // namespace aispm::sandbox
