// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/policy_shelf.hpp"

#include <boost/json.hpp>

namespace aispm::gateway {
namespace {

std::vector<std::string> packages_of(const policy::Bundle& bundle) {
  std::vector<std::string> packages;
  if (bundle.rego() == nullptr) return packages;
  const auto listed = bundle.rego()->packages();
  boost::system::error_code error;
  const boost::json::value document =
      listed ? boost::json::parse(*listed, error) : boost::json::value();
  if (const auto* array = document.if_array())
    for (const auto& one : *array)
      if (one.is_string()) packages.emplace_back(one.get_string());
  return packages;
}

}  // namespace

std::shared_ptr<const PolicyView> PolicyView::make(std::string id,
                                                   std::shared_ptr<const policy::Bundle> bundle,
                                                   bool enforced) {
  auto view = std::make_shared<PolicyView>();
  view->id = std::move(id);
  view->enforced = enforced;
  for (const std::string& package : packages_of(*bundle)) {
    view->has_tools = view->has_tools || package == "data.aispm.tools";
    view->has_prompt = view->has_prompt || package == "data.aispm.prompt";
    view->has_output = view->has_output || package == "data.aispm.output";
  }
  view->bundle = std::move(bundle);
  return view;
}

bool PolicyView::is_expired(WallTime now) const {
  const policy::ActionPolicy* const actions = bundle ? bundle->actions() : nullptr;
  return actions != nullptr && actions->is_expired(now);
}

const std::string& PolicyView::version() const {
  static const std::string kNone;
  return bundle ? bundle->version() : kNone;
}

Result<> PolicyShelf::reload() {
  if (!is_configured()) return {};
  auto loaded = policy::Bundle::load(
      config_.folder, {.trusted_keys = config_.keys, .must_be_signed = config_.must_be_signed});
  if (!loaded && loaded.error().code == Errc::kDenied && !local()) {
    auto denied = std::make_shared<PolicyView>();
    denied->id = "local";
    denied->problem = loaded.error().message;
    denied->problem_rule = "policy.unsigned";
    local_.store(std::move(denied), std::memory_order_release);
    return {};
  }
  if (!loaded) return fail(loaded.error().code, loaded.error().message);
  local_.store(PolicyView::make("local", std::move(*loaded), true), std::memory_order_release);
  return {};
}

}  // namespace aispm::gateway
