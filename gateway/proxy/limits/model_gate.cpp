// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/model_gate.hpp"

#include <algorithm>

#include "gateway/proxy/decide/tickets.hpp"
#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/providers/upstream_path.hpp"
#include "gateway/proxy/worker.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kMaxAnswerBytes = 256U << 10;
constexpr std::string_view kMark = "{model}";

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
  const auto slash = registry.url.find('/', registry.url.find("://") + 3);
  ProviderConfig endpoint;
  endpoint.name = "model registry";
  endpoint.origin = registry.url.substr(0, slash);
  endpoint.ca_file = registry.ca_file;
  endpoint.key = registry.key;
  endpoint.allow_private = registry.allow_private;
  gate->path_ = registry.url.substr(slash);
  AISPM_TRY(gate->registry_, Provider::open(endpoint));
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

std::string ModelGate::path_of(std::string_view model) const {
  std::string path = path_;
  const std::string encoded = percent_encoded(model);
  for (auto at = path.find(kMark); at != std::string::npos; at = path.find(kMark, at))
    path.replace(at, kMark.size(), encoded);
  return path;
}

std::optional<std::string> ModelGate::known(std::string_view model, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(std::string(model));
  if (found == kept_.end() || now >= found->second.until) return std::nullopt;
  return found->second.status;
}

void ModelGate::remember(std::string_view model, const std::string& status, Time now) {
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_.insert_or_assign(std::string(model), Kept{status, now + config_.registry->cache});
}

bool ModelGate::approves(const std::string& status) const {
  const auto& approved = config_.registry->approved;
  return std::ranges::find(approved, status) != approved.end();
}

namespace {

// "": it does not know the model.
Task<std::string> look_up(Worker& worker, ModelGate& gate, std::string model) {
  std::string head = "GET " + gate.path_of(model) + " HTTP/1.1\r\n";
  head.append(gate.registry()->request_lines())
      .append("accept: application/json\r\naccept-encoding: identity\r\n")
      .append("user-agent: aispm-gateway\r\nconnection: close\r\n\r\n");
  UpstreamPool pool;
  net::Stream* in_flight = nullptr;
  const auto limit = gate.registry_config().deadline;
  AISPM_CO_TRY(UpstreamReply reply,
               co_await ask_upstream(worker.context(), worker.watchdog(), *gate.registry(), pool,
                                     {.head = head, .body = {}, .method = "GET"},
                                     {.connect = limit, .silence = limit}, &in_flight));
  const Head answered = reply.head;
  if (answered.status == 404) co_return std::string();
  if (answered.status != 200)
    co_return fail(Errc::kUnavailable, "answered with status " + std::to_string(answered.status));
  reply.upstream->input.consume(answered.size_bytes);
  std::string spill;
  AISPM_CO_TRY(
      const WholeBody whole,
      co_await read_whole_body(*reply.upstream->stream, reply.upstream->input, answered.body,
                               answered.content_length, kMaxAnswerBytes, spill));
  co_return read_ticket_status(whole.bytes, gate.registry_config().status_field);
}

}  // namespace

Task<> ask_registry(Worker& worker, ModelGate& gate, std::string model) {
  auto status = gate.known(model, ModelGate::Time::clock::now());
  if (!status) {
    auto heard =
        co_await net::with_deadline(look_up(worker, gate, model), gate.registry_config().deadline);
    if (!heard) {
      gate.note_failure();
      co_return fail(Errc::kDenied, "the model registry: " + heard.error().message);
    }
    gate.remember(model, *heard, ModelGate::Time::clock::now());
    status = std::move(*heard);
  }
  if (status->empty()) co_return fail(Errc::kDenied, "the model registry does not know it");
  if (!gate.approves(*status))
    co_return fail(Errc::kDenied, "the model registry says `" + *status + "` of it");
  co_return Result<>{};
}

}  // namespace aispm::gateway
