// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/config_decide.hpp"

#include "sdk/core/common/file.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxKeyBytes = 16U << 10;
constexpr std::size_t kMaxKeys = 16;

BundleConfig read_bundle(const YamlMap& map) {
  BundleConfig bundle;
  bundle.folder = map.text("folder", "");
  bundle.keys = read_keys(map, "keys");
  bundle.must_be_signed = map.flag("must_be_signed", false);
  if (bundle.must_be_signed && bundle.keys.empty())
    map.reject("must_be_signed", "give `keys` as well: nothing could be signed by nobody's key");
  return bundle;
}

ApprovalConfig read_approvals(const YamlMap& map) {
  ApprovalConfig approvals;
  approvals.wait = map.duration("wait", approvals.wait);
  approvals.valid = std::chrono::duration_cast<std::chrono::seconds>(
      map.duration("valid", std::chrono::milliseconds(approvals.valid)));
  if (approvals.valid < std::chrono::seconds(1) || approvals.valid > std::chrono::hours(24 * 7))
    map.reject("valid", "1s to 7d is allowed");
  approvals.pulse = map.duration("pulse", approvals.pulse);
  if (approvals.pulse < std::chrono::milliseconds(10)) map.reject("pulse", "10ms or more");
  approvals.link = map.text("link", "");
  return approvals;
}

TicketConfig read_tickets(const YamlMap& map) {
  TicketConfig tickets;
  tickets.url = map.text("url", "");
  if (!tickets.url.empty() && tickets.url.find("{ticket}") == std::string::npos)
    map.reject("url", "must have {ticket} where the ticket's name goes");
  tickets.ca_file = map.text("ca_file", "");
  tickets.pattern = map.text("pattern", "[A-Z][A-Z0-9]{1,15}-[0-9]{1,12}");
  tickets.status_field = map.text("status_field", tickets.status_field);
  if (map.has("allowed")) tickets.allowed = map.texts("allowed");
  tickets.cache = map.duration("cache", tickets.cache);
  tickets.deadline = map.duration("deadline", tickets.deadline);
  tickets.allow_private = map.flag("allow_private", false);
  const std::string key_file = map.text("key_file", "");
  if (key_file.empty()) return tickets;
  auto key = read_file(key_file, kMaxKeyBytes);
  if (!key) {
    map.reject("key_file", key.error().message);
    return tickets;
  }
  key->erase(key->find_last_not_of(" \r\n\t") + 1);
  tickets.key = Secret(std::move(*key));
  return tickets;
}

StepUpConfig read_step_up(const YamlMap& map) {
  StepUpConfig step_up;
  step_up.keys = read_keys(map, "keys");
  step_up.max_age = std::chrono::duration_cast<std::chrono::seconds>(
      map.duration("max_age", std::chrono::milliseconds(step_up.max_age)));
  step_up.issuer = map.text("issuer", "");
  step_up.audience = map.text("audience", "");
  return step_up;
}

}  // namespace

std::vector<std::string> read_keys(const YamlMap& map, const std::string& key) {
  std::vector<std::string> keys;
  for (const std::string& path : map.texts(key)) {
    auto content = read_file(path, kMaxKeyBytes);
    if (!content) {
      map.reject(key, content.error().message);
      return {};
    }
    keys.push_back(std::move(*content));
  }
  if (keys.size() > kMaxKeys) map.reject(key, "more than 16 keys");
  return keys;
}

DecideConfig read_decide(const YamlMap& root) {
  DecideConfig config;
  config.bundle = read_bundle(root.map("bundle"));
  config.agents = policy::AgentRegistry::read(root, "agents");
  config.approvals = read_approvals(root.map("approvals"));
  config.tickets = read_tickets(root.map("tickets"));
  config.step_up = read_step_up(root.map("step_up"));
  return config;
}

}  // namespace aispm::gateway
