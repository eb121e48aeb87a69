// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/gateway_rules.hpp"

#include <boost/json.hpp>

#include "sdk/cli/admin_link.hpp"
#include "sdk/cli/input.hpp"
#include "sdk/cli/text.hpp"

namespace aispm::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxPackBytes = 256U << 10;
constexpr const char* kPath = "/aispm/v1/admin/rules";

std::string path_of(const std::string& tenant) {
  for (const char c : tenant)
    if (c <= ' ' || c == '/' || c == '\x7f' || c < 0) return std::string(kPath) + "/-/";  // refused
  return std::string(kPath) + "/" + tenant;
}

}  // namespace

Result<> list_tenant_rules(const std::string& socket, const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "GET", kPath));
  if (output.json) {
    output.stream << json::serialize(answer) << "\n";
    return {};
  }
  const auto* tenants = answer.if_contains("tenants");
  if (tenants == nullptr || !tenants->is_array())
    return fail(Errc::kInternal, "the gateway's reply is none");
  for (const json::value& one : tenants->get_array()) {
    if (!one.is_object()) continue;
    const json::object& tenant = one.get_object();
    output.stream << safe(text_of(tenant, "tenant")) << "  " << safe(text_of(tenant, "rules"))
                  << " rules  " << safe(text_of(tenant, "bytes")) << " bytes  sha256 "
                  << safe(text_of(tenant, "sha256")) << "\n";
  }
  if (tenants->get_array().empty()) output.stream << "no tenant was given rules\n";
  return {};
}

Result<> show_tenant_rules(const std::string& socket, const std::string& tenant,
                           const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "GET", path_of(tenant)));
  if (output.json) {
    output.stream << json::serialize(answer) << "\n";
    return {};
  }
  output.stream << text_of(answer, "pack");
  return {};
}

Result<> set_tenant_rules(const std::string& socket, const std::string& tenant,
                          const std::string& file, const Output& output) {
  AISPM_TRY(const std::string pack, read_text(file, kMaxPackBytes));
  AISPM_TRY(const json::object answer, ask_gateway(socket, "PUT", path_of(tenant), pack));
  if (output.json)
    output.stream << json::serialize(answer) << "\n";
  else
    output.stream << safe(tenant) << ": " << safe(text_of(answer, "rules"))
                  << " rules of its own in force, sha256 " << safe(text_of(answer, "sha256"))
                  << "\n";
  return {};
}

Result<> remove_tenant_rules(const std::string& socket, const std::string& tenant,
                             const Output& output) {
  AISPM_TRY(const json::object answer, ask_gateway(socket, "DELETE", path_of(tenant)));
  if (output.json)
    output.stream << json::serialize(answer) << "\n";
  else
    output.stream << safe(tenant) << ": has no rules of its own any more\n";
  return {};
}

}  // namespace aispm::cli
