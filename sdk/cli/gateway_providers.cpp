// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/gateway_providers.hpp"

#include <boost/json.hpp>

#include "sdk/cli/text.hpp"

namespace aispm::cli {
namespace {

namespace json = boost::json;

constexpr const char* kPath = "/aispm/v1/admin/providers";

std::string origin_path(const std::string& name) {
  for (const char c : name)
    if (c <= ' ' || c == '/' || c == '\x7f' || c < 0) return std::string(kPath) + "/-/-/origin";
  return std::string(kPath) + "/" + name + "/origin";
}

Result<> print(const json::object& answer, const Output& output) {
  if (output.json) {
    output.stream << json::serialize(answer) << "\n";
    return {};
  }
  const auto* providers = answer.if_contains("providers");
  if (providers == nullptr || !providers->is_array())
    return fail(Errc::kInternal, "the gateway's reply is none");
  for (const json::value& one : providers->get_array()) {
    if (!one.is_object()) continue;
    const json::object& provider = one.get_object();
    output.stream << safe(text_of(provider, "name")) << "  " << safe(text_of(provider, "dialect"))
                  << "  " << safe(text_of(provider, "origin")) << "  "
                  << safe(text_of(provider, "state"));
    if (const std::string who = text_of(provider, "set_by"); !who.empty())
      output.stream << "  (origin set by " << safe(who) << ", not by the file)";
    output.stream << "\n";
  }
  return {};
}

}  // namespace

Result<> list_providers(const std::string& socket, const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "GET", kPath));
  return print(answer, output);
}

Result<> reload_providers(const std::string& socket, const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "POST", std::string(kPath) + "/reload"));
  return print(answer, output);
}

Result<> set_provider_origin(const std::string& socket, const std::string& name,
                             const std::string& origin, const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "PUT", origin_path(name), origin));
  return print(answer, output);
}

Result<> unset_provider_origin(const std::string& socket, const std::string& name,
                               const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "DELETE", origin_path(name)));
  return print(answer, output);
}

}  // namespace aispm::cli
