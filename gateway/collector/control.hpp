// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/pending_freezes.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::collector {

// What decides about agents, between those who change it and those who follow it. Lives as long as
// the collector; what is not a `Changes` is set before the first call.
struct Control {
  PolicyChanges policy_changes;
  FreezeChanges freeze_changes;
  PendingFreezes pending_freezes;
  // Called after every change that was noted as an operator's action; any thread, never blocks.
  std::function<void()> audit = [] {};
  // Of bundles that are pushed: public keys, PEM.
  std::vector<std::string> policy_keys;
  std::vector<std::string> policy_key_ids;  // of policy_keys
  bool policies_must_be_signed = false;
  Secret registry_key;  // PEM; signs versions of the registry. Empty: they are not signed
  std::string tenant = "default";
};

}  // namespace aispm::collector
