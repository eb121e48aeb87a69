// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/model_gate.hpp"

#include <algorithm>

#include "gateway/proxy/providers/upstream_path.hpp"

namespace aispm::gateway {

using net::Task;

namespace {

bool names(const std::vector<policy::Glob>& globs, std::string_view text) {
  return globs.empty() ||
         std::ranges::any_of(globs, [&](const policy::Glob& glob) { return glob.matches(text); });
}

bool approves_for(const ApprovedModel& one, const ModelAsk& ask) {
  return one.model.matches(ask.model) && one.provider.matches(ask.provider) &&
         names(one.agents, ask.agent) && names(one.tenants, ask.tenant) &&
         (one.environments.empty() ||
          std::ranges::find(one.environments, ask.environment) != one.environments.end());
}

}  // namespace

Result<std::unique_ptr<ModelGate>> ModelGate::open(const ModelGateConfig& config) {
  std::unique_ptr<ModelGate> gate(new ModelGate(config));
  gate->asks_environments_ = std::ranges::any_of(
      config.models, [](const ApprovedModel& one) { return !one.environments.empty(); });
  if (!config.registry) return gate;
  const ModelRegistryConfig& registry = *config.registry;
  StatusLookupConfig lookup;
  lookup.name = "model registry";
  lookup.url = registry.url;
  lookup.mark = "{model}";
  lookup.ca_file = registry.ca_file;
  lookup.key = registry.key;
  lookup.allow_private = registry.allow_private;
  lookup.status_field = registry.status_field;
  lookup.cache = registry.cache;
  lookup.deadline = registry.deadline;
  lookup.keeps_unknown = true;
  AISPM_TRY(gate->registry_, StatusLookup::open(std::move(lookup)));
  return gate;
}

Result<> ModelGate::check_list(const ModelAsk& ask) const {
  if (ask.model.size() > kMaxModelBytes) return fail(Errc::kDenied, "the model's name is too long");
  if (leads_elsewhere(ask.model)) return fail(Errc::kDenied, "this is no name of a model");
  if (!config_.has_list) return {};
  const bool is_approved = std::ranges::any_of(
      config_.models, [&](const ApprovedModel& one) { return approves_for(one, ask); });
  if (is_approved) return {};
  const bool is_known = std::ranges::any_of(
      config_.models, [&](const ApprovedModel& one) { return one.model.matches(ask.model); });
  return fail(Errc::kDenied, is_known ? "it is approved for others, not for this agent here"
                                      : "it is not on the list of approved models");
}

bool ModelGate::approves(const std::string& status) const {
  const auto& approved = config_.registry->approved;
  return std::ranges::find(approved, status) != approved.end();
}

void ModelGate::note_status(const std::string& model, const std::string& status) {
  const bool is_known_word = status == "review" || status == "retired";
  const std::lock_guard lock(mutex_);
  if (statuses_.size() >= kMaxStatuses && !statuses_.contains(model)) statuses_.clear();
  statuses_.insert_or_assign(model, is_known_word ? status : std::string("approved"));
}

std::string ModelGate::status_of(const std::string& model) const {
  if (registry_ == nullptr) return config_.has_list ? "approved" : "";  // it passed the list
  const std::lock_guard lock(mutex_);
  const auto known = statuses_.find(model);
  return known == statuses_.end() ? std::string() : known->second;
}

Task<> ask_registry(Worker& worker, ModelGate& gate, std::string model) {
  const auto status = co_await ask_status(worker, *gate.registry(), model);
  if (!status) {
    gate.note_failure();
    co_return fail(Errc::kDenied, "the model registry: " + status.error().message);
  }
  if (status->empty()) co_return fail(Errc::kDenied, "the model registry does not know it");
  if (!gate.approves(*status))
    co_return fail(Errc::kDenied, "the model registry says `" + *status + "` of it");
  gate.note_status(model, *status);
  co_return Result<>{};
}

}  // namespace aispm::gateway
