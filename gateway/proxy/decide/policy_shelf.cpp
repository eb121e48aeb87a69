// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/policy_shelf.hpp"

namespace aispm::gateway {

std::shared_ptr<const PolicyView> PolicyView::make(std::string id,
                                                   std::shared_ptr<const policy::Bundle> bundle,
                                                   bool enforced,
                                                   std::vector<policy::FolderFile> files) {
  auto view = std::make_shared<PolicyView>();
  view->files = std::move(files);
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

policy::BundleOptions PolicyShelf::options() const {
  return {.trusted_keys = config_.keys,
          .must_be_signed = config_.must_be_signed,
          .registry = registry_.load(),
          .host_agents = &agents_};
}

Result<std::shared_ptr<const PolicyView>> PolicyShelf::load() const {
  if (!is_configured()) return std::shared_ptr<const PolicyView>();
  AISPM_TRY(std::vector<policy::FolderFile> files, policy::read_safe_folder(config_.folder));
  auto loaded = policy::Bundle::compile(files, options());
  if (!loaded && loaded.error().code == Errc::kDenied && !local())
    return PolicyView::denying("local", true, "policy.unsigned",
                               config_.folder + "/" + loaded.error().message);
  if (!loaded) return fail(loaded.error().code, config_.folder + "/" + loaded.error().message);
  return PolicyView::make("local", std::move(*loaded), true, std::move(files));
}

Result<> PolicyShelf::take_registry(std::shared_ptr<const policy::RegistryPart> registry) {
  if (registry_.load() == registry) return {};
  registry_.store(std::move(registry));
  const std::shared_ptr<const PolicyView> before = local();
  if (!before || !before->bundle) return {};
  auto again = policy::Bundle::compile(before->files, options());
  if (!again) return fail(again.error().code, config_.folder + "/" + again.error().message);
  take(PolicyView::make("local", std::move(*again), true, before->files));
  return {};
}

void PolicyShelf::take(std::shared_ptr<const PolicyView> view) { local_.store(std::move(view)); }

Result<> PolicyShelf::reload() {
  AISPM_TRY(std::shared_ptr<const PolicyView> view, load());
  take(std::move(view));
  return {};
}

}  // namespace aispm::gateway
