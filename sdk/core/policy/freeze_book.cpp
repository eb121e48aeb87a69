// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/freeze_book.hpp"

#include <algorithm>

namespace aispm::policy {
namespace {

bool fits(const Freeze& freeze, const FreezeSubject& subject, std::string_view own_tenant) {
  const auto holds = [&](std::string_view text) {
    return !text.empty() && freeze.value.matches(text);
  };
  // A name stands for itself, whatever characters it is made of.
  const auto is = [&](std::string_view text) {
    return !text.empty() && freeze.value.text() == text;
  };
  switch (freeze.scope) {
    case FreezeScope::kAgent:
      return holds(subject.agent);
    case FreezeScope::kModel:
      return holds(subject.model);
    case FreezeScope::kSession:
      return is(subject.session);
    case FreezeScope::kUser:
      return is(subject.user);
    case FreezeScope::kTenant:
      return is(subject.tenant.empty() ? own_tenant : subject.tenant);
    case FreezeScope::kAll:
      return true;
  }
  return false;
}

}  // namespace

std::string_view name_of(FreezeScope scope) {
  switch (scope) {
    case FreezeScope::kAgent:
      return "agent";
    case FreezeScope::kSession:
      return "session";
    case FreezeScope::kUser:
      return "user";
    case FreezeScope::kModel:
      return "model";
    case FreezeScope::kTenant:
      return "tenant";
    case FreezeScope::kAll:
      return "all";
  }
  return "all";
}

FreezeBook::FreezeBook(std::vector<Freeze> freezes, std::string tenant, std::uint64_t version)
    : freezes_(std::move(freezes)), tenant_(std::move(tenant)), version_(version) {
  std::stable_partition(freezes_.begin(), freezes_.end(),
                        [](const Freeze& freeze) { return freeze.kills; });
}

std::shared_ptr<const FreezeBook> FreezeBook::closed(std::string reason) {
  Freeze all;
  all.id = "aispm.unknown";
  all.reason = std::move(reason);
  return std::make_shared<const FreezeBook>(std::vector<Freeze>{std::move(all)});
}

const Freeze* FreezeBook::find(const FreezeSubject& subject, WallTime now) const {
  for (const Freeze& freeze : freezes_) {
    if (freeze.expires && freeze.expires->nanoseconds <= now.nanoseconds) continue;
    if (fits(freeze, subject, tenant_)) return &freeze;
  }
  return nullptr;
}

std::string_view user_of_agent(std::string_view agent) {
  const auto slash = agent.find('/');
  return slash == std::string_view::npos ? std::string_view{} : agent.substr(0, slash);
}

}  // namespace aispm::policy
