// SPDX-License-Identifier: Apache-2.0
#include "sandbox/doctor.hpp"

#include <algorithm>
#include <iostream>

#include "sandbox/apply/doctor.hpp"
#include "sandbox/launch.hpp"
#include "sandbox/plan/profiles.hpp"
#include "sandbox/plan/runtime.hpp"
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

// The second attempt is what gVisor before 2023 refuses: statx with AT_NO_AUTOMOUNT.
HostFact gvisor(const Host& host) {
  const std::string meaning = "isolation: gvisor, a kernel of its own for the agent";
  const std::string runtime = find_runtime(host);
  if (runtime.empty())
    return {State::kWeaker, "gVisor", "no runsc", "isolation: gvisor is refused", kRuntimeRemedy};
  const auto run = [&](const std::string& script) {
    LaunchOptions trial;
    trial.request.profile = profile_for("true");
    trial.request.profile.isolation = Isolation::kGvisor;
    trial.request.profile.limits.memory_bytes = 0;
    trial.request.command = {"/bin/sh", "-c", script};
    trial.request.session_id = make_uuid();
    return launch(host, trial);
  };
  const auto works = run("exit 0");
  if (!works || *works != 0)
    return {State::kWeaker, "gVisor",
            runtime + (works ? ": exit code " + std::to_string(*works) : ": refused"),
            "isolation: gvisor does not work", works ? "see above" : works.error().message};
  const auto lists = run("ls -d / >/dev/null 2>&1");
  if (!lists || *lists != 0)
    return {State::kWeaker, "gVisor", runtime + ", before 2023",
            "works, but ls and stat fail inside, and other programs may", kRuntimeNewer};
  return {State::kGood, "gVisor", runtime, meaning, ""};
}

}  // namespace

int run_doctor(const Host& host, const std::string& gateway_socket) {
  auto facts = examine_host();
  facts.push_back(gateway(gateway_socket));
  facts.push_back(trial_run(host));
  facts.push_back(gvisor(host));
  std::cout << table_of(facts);
  return std::any_of(facts.begin(), facts.end(),
                     [](const HostFact& fact) { return fact.state == State::kMissing; })
             ? 1
             : 0;
}

}  // namespace aispm::sandbox
