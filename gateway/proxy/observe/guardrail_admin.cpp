// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/guardrail_admin.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/model/gateway_actions.hpp"

namespace aispm::gateway {
namespace {

std::string make_id() {
  std::array<std::uint8_t, 6> bytes{};
  fill_random(bytes);
  return to_hex(bytes);
}

struct Asked {
  std::string id;  // "" = all of them
  std::string tenant;
};

Result<Asked> read_target(std::string_view target) {
  Asked asked;
  const auto mark = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, mark);
  std::string_view query = target.substr(std::min(mark + 1, target.size()));
  path.remove_prefix(kGuardrailPath.size());
  if (path.starts_with('/')) asked.id = path.substr(1);
  if (!query.empty()) {
    constexpr std::string_view kTenant = "tenant=";
    if (!query.starts_with(kTenant) || query.find('&') != std::string_view::npos)
      return fail(Errc::kInvalid, "the query may say ?tenant=NAME and nothing else");
    asked.tenant = query.substr(kTenant.size());
    if (!asked.tenant.empty()) AISPM_CHECK(TenantRuleFiles::check_name(asked.tenant));
  }
  return asked;
}

std::vector<Guardrail> those_of(const RuleShelf& shelf, const std::string& tenant) {
  const Guardrails all = shelf.guardrails();
  const auto known = all.find(tenant);
  return known == all.end() ? std::vector<Guardrail>() : known->second->all();
}

// What changes: one guardrail of the tenant's, in the list as it is to be.
struct Change {
  model::GatewayAction action;
  std::string id;
  std::string before;
  std::string after;
};

AdminReply apply(const AdminRequest& request, RuleShelf& shelf, const Asked& asked,
                 std::vector<Guardrail> list, Change change) {
  if (const auto set = shelf.set_guardrails(asked.tenant, std::move(list)); !set)
    return refuse_admin(set.error());
  AdminReply reply;
  reply.status = change.before.empty() ? 201 : 200;
  reply.body = change.after.empty() ? "{\"deleted\":\"" + change.id + "\"}" : change.after;
  model::OperatorAction done;
  done.who = request.who;
  done.action = change.action.name;
  done.target = (asked.tenant.empty() ? "(no tenant)" : asked.tenant) + "/" + change.id;
  // What it looks for may be what must not be told: the record has its digest.
  done.before = change.before.empty() ? "" : sha256_hex(change.before);
  done.after = change.after.empty() ? "" : sha256_hex(change.after);
  reply.done = std::move(done);
  return reply;
}

AdminReply create(const AdminRequest& request, RuleShelf& shelf, const Asked& asked) {
  auto guardrail = read_guardrail(request.body);
  if (!guardrail) return refuse_admin(guardrail.error());
  std::vector<Guardrail> list = those_of(shelf, asked.tenant);
  if (list.size() >= Guardrail::kMaxPerTenant)
    return refuse_admin(413, "a tenant may have 256 guardrails: delete one first");
  guardrail->id = make_id();
  guardrail->created = guardrail->updated = wall_now();
  const std::string after = guardrail_json(*guardrail);
  const std::string id = guardrail->id;
  list.push_back(std::move(*guardrail));
  return apply(request, shelf, asked, std::move(list),
               {.action = model::kCreateGuardrail, .id = id, .before = {}, .after = after});
}

AdminReply serve_one(const AdminRequest& request, RuleShelf& shelf, const Asked& asked) {
  std::vector<Guardrail> list = those_of(shelf, asked.tenant);
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const Guardrail& one) { return one.id == asked.id; });
  if (found == list.end()) return refuse_admin(404, "this tenant has no guardrail with that id");
  const std::string before = guardrail_json(*found);
  if (request.method == "GET") return {.status = 200, .body = before, .done = {}};
  if (request.method == "DELETE") {
    list.erase(found);
    return apply(
        request, shelf, asked, std::move(list),
        {.action = model::kDeleteGuardrail, .id = asked.id, .before = before, .after = {}});
  }
  if (request.method != "PUT") return refuse_method("GET, PUT, DELETE");
  auto next = read_guardrail(request.body);
  if (!next) return refuse_admin(next.error());
  next->id = found->id;
  next->created = found->created;
  next->updated = wall_now();
  const std::string after = guardrail_json(*next);
  *found = std::move(*next);
  return apply(
      request, shelf, asked, std::move(list),
      {.action = model::kUpdateGuardrail, .id = asked.id, .before = before, .after = after});
}

}  // namespace

AdminReply serve_guardrails(const AdminRequest& request, RuleShelf& shelf) {
  const auto asked = read_target(request.target);
  if (!asked) return refuse_admin(asked.error());
  if (!shelf.current()) return refuse_admin(503, "the detection rules are being loaded");
  if (to_utf8(request.body) != request.body) return refuse_admin(400, "the body is not UTF-8");
  if (!asked->id.empty()) return serve_one(request, shelf, *asked);
  if (request.method == "GET")
    return {.status = 200, .body = guardrail_list_json(those_of(shelf, asked->tenant)), .done = {}};
  if (request.method == "POST") return create(request, shelf, *asked);
  return refuse_method("GET, POST");
}

}  // namespace aispm::gateway
