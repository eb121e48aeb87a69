// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/admin_rules.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/model/gateway_actions.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::string_view kRules = "/aispm/v1/admin/rules";

AdminReply refuse(int status, std::string_view message) { return refuse_admin(status, message); }
AdminReply refuse(const Error& error) { return refuse_admin(error); }

std::string version_of(std::string_view pack) { return pack.empty() ? "" : sha256_hex(pack); }

// The tenant's rules beside everybody's, in force.
std::size_t count_rules(const RuleShelf& shelf, const std::string& tenant) {
  const auto book = shelf.current();
  if (!book) return 0;
  const auto own = book->tenants.find(tenant);
  if (own == book->tenants.end()) return 0;
  return own->second->engine->rules().size() - book->engine->rules().size();
}

AdminReply list(const RuleShelf& shelf) {
  json::array tenants;
  for (const auto& [tenant, pack] : shelf.tenant_packs())
    tenants.push_back(json::object{{"tenant", tenant},
                                   {"sha256", version_of(pack)},
                                   {"bytes", pack.size()},
                                   {"rules", count_rules(shelf, tenant)}});
  return {.status = 200,
          .body = json::serialize(json::object{{"tenants", std::move(tenants)}}),
          .done = {}};
}

AdminReply change(const AdminRequest& request, RuleShelf& shelf, const std::string& tenant,
                  std::string pack) {
  const TenantPacks packs = shelf.tenant_packs();
  const auto known = packs.find(tenant);
  const std::string before = known == packs.end() ? "" : version_of(known->second);
  const std::string after = version_of(pack);
  const bool removes = pack.empty();
  if (removes && known == packs.end())
    return refuse(404, "tenant " + tenant + " has no rules that were given to the running gateway");
  if (const auto set = shelf.set_tenant_rules(tenant, std::move(pack)); !set)
    return refuse(set.error());
  AdminReply reply;
  reply.body = json::serialize(json::object{{"tenant", tenant},
                                            {"before", before},
                                            {"sha256", after},
                                            {"rules", count_rules(shelf, tenant)}});
  reply.done = model::OperatorAction{
      .who = request.who,
      .action = std::string((removes ? model::kRemoveTenantRules : model::kSetTenantRules).name),
      .target = "tenant/" + tenant,
      .reason = {},
      .before = before,
      .after = after};
  return reply;
}

}  // namespace

AdminReply refuse_admin(const Error& error) {
  switch (error.code) {
    case Errc::kInvalid:
      return refuse_admin(400, error.message);
    case Errc::kNotFound:
      return refuse_admin(404, error.message);
    case Errc::kTooLarge:
      return refuse_admin(413, error.message);
    default:
      return refuse_admin(503, error.message);
  }
}

AdminReply refuse_admin(int status, std::string_view message) {
  return {.status = status,
          .body = json::serialize(json::object{{"error", json::object{{"message", message}}}}),
          .done = {}};
}

AdminReply refuse_method(std::string allowed) {
  AdminReply reply = refuse_admin(405, "this path takes " + allowed);
  reply.allow = std::move(allowed);
  return reply;
}

AdminReply serve_admin(const AdminRequest& request, RuleShelf& shelf) {
  std::string_view rest = request.target;
  if (!rest.starts_with(kRules)) return refuse(404, "nothing is served at this path");
  rest.remove_prefix(kRules.size());
  if (rest.empty()) return request.method == "GET" ? list(shelf) : refuse_method("GET");
  if (rest.front() != '/') return refuse(404, "nothing is served at this path");
  const std::string tenant(rest.substr(1));
  if (const auto named = TenantRuleFiles::check_name(tenant); !named) return refuse(named.error());
  if (!shelf.current()) return refuse(503, "the detection rules are being loaded");
  if (request.method == "DELETE") return change(request, shelf, tenant, "");
  if (request.method == "PUT") {
    if (request.body.empty()) return refuse(400, "the body holds no pack");
    if (to_utf8(request.body) != request.body) return refuse(400, "the pack is not UTF-8");
    return change(request, shelf, tenant, std::string(request.body));
  }
  if (request.method != "GET") return refuse_method("GET, PUT, DELETE");
  const TenantPacks packs = shelf.tenant_packs();
  const auto known = packs.find(tenant);
  if (known == packs.end())
    return refuse(404, "tenant " + tenant + " has no rules that were given to the running gateway");
  return {.status = 200,
          .body = json::serialize(json::object{{"tenant", tenant},
                                               {"sha256", version_of(known->second)},
                                               {"rules", count_rules(shelf, tenant)},
                                               {"pack", known->second}}),
          .done = {}};
}

}  // namespace aispm::gateway
