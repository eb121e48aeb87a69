// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/ingest/links.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::collector {

// What all parts of the collector that deal with approvals share. Any thread once it was filled.
struct Approvals {
  Changes changes;
  Secret link_key;  // of links by which people answer
  // A gateway asks, or somebody else is asked; called on a worker, must not block. May be empty.
  std::function<void()> on_asked;
  // Why people are not told that they are asked; empty when they are. May be empty.
  std::function<std::string()> problem;
  // Something for the record was noted. May be empty.
  std::function<void()> wake_audit;
};

}  // namespace aispm::collector
