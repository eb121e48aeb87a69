// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/admin_providers.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/services.hpp"
#include "sdk/core/model/gateway_actions.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxOriginBytes = 1024;

AdminReply refuse(const Error& error) {
  switch (error.code) {
    case Errc::kInvalid:
      return refuse_admin(400, error.message);
    case Errc::kNotFound:
      return refuse_admin(404, error.message);
    default:
      return refuse_admin(503, error.message);
  }
}

std::string origin_of(const ProviderConfig& config) { return config.origin + config.base_path; }

std::string state_of(const Provider& provider) {
  if (!provider.config().missing_key.empty()) return "no key: " + provider.config().missing_key;
  return provider.is_failing() ? "failing: " + provider.last_failure() : "ok";
}

json::object describe(const Provider& provider, const ProviderShelf& shelf) {
  const ProviderConfig& config = provider.config();
  json::array models;
  for (const std::string& model : config.models) models.push_back(json::string(model));
  json::object told{{"name", config.name},
                    {"dialect", std::string(name_of(config.dialect))},
                    {"origin", origin_of(config)},
                    {"models", std::move(models)},
                    {"state", state_of(provider)}};
  if (const auto own = shelf.overrides().find(config.name); own != shelf.overrides().end())
    told["set_by"] = own->second.who;
  return told;
}

// All of them, or one.
AdminReply list(const ProviderShelf& shelf, const std::string& only = {}) {
  json::array told;
  const auto set = shelf.current();
  for (const auto& provider : set->all())
    if (only.empty() || provider->config().name == only) told.push_back(describe(*provider, shelf));
  return {.status = 200,
          .body = json::serialize(json::object{{"providers", std::move(told)}}),
          .done = {}};
}

// Every provider with its origin, for the record.
std::string origins(const ProviderShelf& shelf, const std::string& only = {}) {
  std::string text;
  const auto set = shelf.current();
  for (const auto& provider : set->all()) {
    const ProviderConfig& config = provider->config();
    if (!only.empty() && config.name != only) continue;
    text += (text.empty() ? "" : " ") + config.name + "=" + origin_of(config);
  }
  return text;
}

AdminReply done(const AdminRequest& request, const ProviderShelf& shelf,
                const model::GatewayAction& action, const std::string& name, std::string before) {
  AdminReply reply = list(shelf, name);
  reply.done = model::OperatorAction{.who = request.who,
                                     .action = std::string(action.name),
                                     .target = name.empty() ? "providers" : "provider/" + name,
                                     .reason = {},
                                     .before = std::move(before),
                                     .after = origins(shelf, name)};
  return reply;
}

AdminReply reload(const AdminRequest& request, Services& services) {
  std::string before = origins(services.providers);
  if (const auto loaded = services.reload_providers(); !loaded)
    return refuse_admin(400, loaded.error().message);
  const auto lock = services.providers.lock();
  return done(request, services.providers, model::kProvidersReload, {}, std::move(before));
}

AdminReply change(const AdminRequest& request, ProviderShelf& shelf, const std::string& name) {
  const auto lock = shelf.lock();
  std::string before = origins(shelf, name);
  if (request.method == "DELETE") {
    if (const auto unset = shelf.unset_origin(name); !unset) return refuse(unset.error());
    return done(request, shelf, model::kUnsetProviderOrigin, name, std::move(before));
  }
  if (request.method != "PUT") return refuse_method("PUT, DELETE");
  if (request.body.size() > kMaxOriginBytes)
    return refuse_admin(413, "an origin may have 1024 bytes");
  std::string origin(request.body);
  origin.erase(origin.find_last_not_of(" \t\r\n") + 1);
  if (const auto set = shelf.set_origin(name, origin, request.who); !set)
    return refuse(set.error());
  return done(request, shelf, model::kSetProviderOrigin, name, std::move(before));
}

}  // namespace

AdminReply serve_admin_providers(const AdminRequest& request, Services& services) {
  constexpr std::string_view kOrigin = "/origin";
  std::string_view rest = request.target;
  rest.remove_prefix(std::min(rest.size(), kAdminProviders.size()));
  if (rest.empty()) {
    if (request.method != "GET") return refuse_method("GET");
    const auto lock = services.providers.lock();
    return list(services.providers);
  }
  if (rest == "/reload")
    return request.method == "POST" ? reload(request, services) : refuse_method("POST");
  if (!rest.starts_with('/') || !rest.ends_with(kOrigin) || rest.size() <= kOrigin.size() + 1)
    return refuse_admin(404, "nothing is served at this path");
  return change(request, services.providers,
                std::string(rest.substr(1, rest.size() - 1 - kOrigin.size())));
}

}  // namespace aispm::gateway
