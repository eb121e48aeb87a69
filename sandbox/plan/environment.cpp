// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "sandbox/plan/plan.hpp"

namespace aispm::sandbox {
namespace {

// Names of variables that usually hold credentials, or that make programs load foreign code.
bool looks_secret(std::string name) {
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  for (const char* part :
       {"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "COOKIE", "AUTH_SOCK"})
    if (name.find(part) != std::string::npos) return true;
  return name.starts_with("LD_");
}

}  // namespace

Result<std::vector<std::string>> plan_environment(const Host& host, const Request& request,
                                                  const Program& program,
                                                  const std::string& agent) {
  std::map<std::string, std::string> values;
  std::string path;
  for (const auto& folder : program.path_folders) path += folder + ":";
  values["PATH"] = path + "/usr/local/bin:/usr/bin:/bin";
  values["HOME"] = "/tmp";
  values["USER"] = values["LOGNAME"] = "agent";
  values["SHELL"] = "/bin/sh";
  if (!program.virtual_env.empty()) values["VIRTUAL_ENV"] = program.virtual_env;
  for (const auto& name : request.profile.pass_environment) {
    if (looks_secret(name) && !request.profile.dangerous.secret_environment)
      return fail(Errc::kInvalid,
                  "environment.pass: " + name +
                      " looks like a secret; agents get placeholders and the gateway " +
                      "holds the keys. If it must be: dangerous.secret_environment: true");
    if (const auto value = host.environment(name)) values[name] = *value;
  }
  for (const auto& pair : request.profile.set_environment)
    values[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  values["AISPM_SESSION_ID"] = request.session_id;
  values["AISPM_AGENT_ID"] = agent;
  if (!request.gateway_socket.empty()) {
    const std::string url = "http://127.0.0.1:" + std::to_string(kProxyPort);
    values["AISPM_GATEWAY_URL"] = values["ANTHROPIC_BASE_URL"] = url;
    values["OPENAI_BASE_URL"] = url + "/v1";
    // The gateway knows the agent by its connection; SDKs only insist that a key is set.
    values["OPENAI_API_KEY"] = values["ANTHROPIC_API_KEY"] = "aispm-sandbox";
  }
  for (const auto& option : request.environment) {
    const auto equals = option.find('=');
    const std::string name = option.substr(0, equals);
    if (name.empty())
      return fail(Errc::kInvalid, "--env " + option + ": must be NAME or NAME=VALUE");
    if (equals != std::string::npos) {
      values[name] = option.substr(equals + 1);  // written out by the caller: deliberate
      continue;
    }
    if (looks_secret(name) && !request.profile.dangerous.secret_environment)
      return fail(Errc::kInvalid,
                  "--env " + name +
                      ": looks like a secret and would be readable by the agent. If it must be: " +
                      "--env " + name +
                      "=VALUE, or dangerous.secret_environment: true in a profile");
    if (const auto value = host.environment(name)) values[name] = *value;
  }
  std::vector<std::string> result;
  for (const auto& [name, value] : values) result.push_back(name + "=" + value);
  return result;
}

}  // namespace aispm::sandbox
