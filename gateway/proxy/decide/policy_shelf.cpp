// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/policy_shelf.hpp"

namespace aispm::gateway {

std::shared_ptr<const PolicyView> PolicyView::make(std::string id,
                                                   std::shared_ptr<const policy::Bundle> bundle,
                                                   bool enforced) {
  auto view = std::make_shared<PolicyView>();
  view->id = std::move(id);
  view->enforced = enforced;
  if (const policy::Rego* const rego = bundle->rego())
    view->modules = {.agent = rego->has_package("data.aispm.agent"),
                     .tools = rego->has_package("data.aispm.tools"),
                     .prompt = rego->has_package("data.aispm.prompt"),
                     .output = rego->has_package("data.aispm.output")};
  view->bundle = std::move(bundle);
  return view;
}

std::shared_ptr<const PolicyView> PolicyView::denying(std::string id, bool enforced,
                                                      std::string rule, std::string problem) {
  auto view = std::make_shared<PolicyView>();
  view->id = std::move(id);
  view->enforced = enforced;
  view->problem_rule = std::move(rule);
  view->problem = std::move(problem);
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

std::shared_ptr<const policy::DetectPart> detect_part(const PolicyView* view) {
  if (view == nullptr || !view->bundle) return nullptr;
  return view->bundle->detect();
}

const policy::RiskModel& PolicySet::risk() const {
  static const policy::RiskModel kUsual;
  return enforced && enforced->bundle ? enforced->bundle->risk() : kUsual;
}

std::shared_ptr<const PolicyView> PolicyViews::of(
    const std::string& id, const std::shared_ptr<const policy::Bundle>& bundle, bool enforced,
    const std::string& problem) {
  if (!bundle) return PolicyView::denying(id, enforced, "policy.unusable", problem);
  const std::lock_guard lock(mutex_);
  // The view holds its bundle, so that no other can have its address.
  const auto key = std::pair(bundle.get(), id + (enforced ? "" : "?"));
  if (const auto known = views_.find(key); known != views_.end()) return known->second;
  // Nobody else has their bundles: these are gone, and what belongs to them goes with them.
  std::erase_if(views_, [](const auto& entry) { return entry.second->bundle.use_count() == 1; });
  if (views_.size() >= kMaxViews) views_.clear();
  return views_.emplace(key, PolicyView::make(id, bundle, enforced)).first->second;
}

Result<std::shared_ptr<const PolicyView>> PolicyShelf::load() const {
  if (!is_configured()) return std::shared_ptr<const PolicyView>();
  auto loaded = policy::Bundle::load(
      config_.folder, {.trusted_keys = config_.keys, .must_be_signed = config_.must_be_signed});
  if (!loaded && loaded.error().code == Errc::kDenied && !local())
    return PolicyView::denying("local", true, "policy.unsigned", loaded.error().message);
  if (!loaded) return fail(loaded.error().code, loaded.error().message);
  return PolicyView::make("local", std::move(*loaded), true);
}

void PolicyShelf::take(std::shared_ptr<const PolicyView> view) {
  local_.store(std::move(view), std::memory_order_release);
}

Result<> PolicyShelf::reload() {
  AISPM_TRY(std::shared_ptr<const PolicyView> view, load());
  take(std::move(view));
  return {};
}

}  // namespace aispm::gateway
