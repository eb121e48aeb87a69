// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
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

std::string gateway_url() { return "http://127.0.0.1:" + std::to_string(kProxyPort); }

// Everything that is no model goes to the same place, which carries it or says why not. What is on
// loopback (the gateway's own routes, servers of the agent) needs no proxy.
void add_proxy(std::map<std::string, std::string>& values) {
  values["AISPM_GATEWAY_URL"] = gateway_url();
  for (const char* name :
       {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"})
    values[name] = gateway_url();
  values["NO_PROXY"] = values["no_proxy"] = "localhost,127.0.0.1,::1";
  values["NODE_USE_ENV_PROXY"] = "1";  // Node 24 and later; older ones are caught at the door
}

}  // namespace

std::string home_inside(const Profile& profile) {
  return profile.home == Home::kScratch ? "/tmp" : kPrivateHome;
}

std::string fill_in_gateway(std::string text) {
  const std::string mark = "${gateway}";
  const std::string url = gateway_url();
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + url.size()))
    text.replace(at, mark.size(), url);
  return text;
}

// Each as its client's documentation or source names it. The gateway knows the agent by its
// connection; SDKs only insist that a key is set.
std::vector<GatewayVariable> plan_gateway_environment(const Request& request,
                                                      const std::vector<std::string>& environment) {
  if (request.gateway_socket.empty()) return {};
  const std::string url = gateway_url();
  const std::string key = "aispm-sandbox";
  const std::vector<GatewayVariable> all = {
      {"openai", "OPENAI_BASE_URL=" + url + "/v1"},
      {"openai", "OPENAI_API_BASE=" + url + "/v1"},  // openai before 1.0, LangChain, LiteLLM
      {"openai", "OPENAI_API_KEY=" + key},
      {"anthropic", "ANTHROPIC_BASE_URL=" + url},
      {"anthropic", "ANTHROPIC_API_URL=" + url},  // LangChain
      {"anthropic", "ANTHROPIC_API_KEY=" + key},
      {"gemini", "GOOGLE_GEMINI_BASE_URL=" + url},  // google-genai, gemini-cli
      {"gemini", "GEMINI_API_KEY=" + key},
      {"ollama", "OLLAMA_HOST=" + url},
      {"mistral", "MISTRAL_BASE_URL=" + url + "/v1"},  // LangChain; the SDK reads no address
      {"mistral", "MISTRAL_API_KEY=" + key},
      {"cohere", "CO_API_URL=" + url},
      {"cohere", "CO_API_KEY=" + key},
      {"cohere", "COHERE_API_KEY=" + key},
  };
  // What the caller or the profile sets stays as it is.
  std::vector<GatewayVariable> wanted;
  std::copy_if(all.begin(), all.end(), std::back_inserter(wanted), [&](const auto& variable) {
    const std::string name = variable.pair.substr(0, variable.pair.find('=') + 1);
    return std::none_of(environment.begin(), environment.end(),
                        [&](const std::string& pair) { return pair.starts_with(name); });
  });
  return wanted;
}

Result<std::vector<std::string>> plan_environment(const Host& host, const Request& request,
                                                  const Program& program,
                                                  const std::string& agent) {
  std::map<std::string, std::string> values;
  std::string path;
  for (const auto& folder : program.path_folders) path += folder + ":";
  values["PATH"] = path + "/usr/local/bin:/usr/bin:/bin";
  values["HOME"] = home_inside(request.profile);
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
    values[pair.substr(0, pair.find('='))] = fill_in_gateway(pair.substr(pair.find('=') + 1));
  values["AISPM_SESSION_ID"] = request.session_id;
  values["AISPM_AGENT_ID"] = agent;
  if (!request.gateway_socket.empty()) add_proxy(values);
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
  if (!request.packages.id.empty() && !request.packages.is_node) {
    std::string& python = values["PYTHONPATH"];
    python = kPythonStart + (python.empty() ? "" : ":" + python);
  }
  std::vector<std::string> result;
  for (const auto& [name, value] : values) result.push_back(name + "=" + value);
  return result;
}

}  // namespace aispm::sandbox
