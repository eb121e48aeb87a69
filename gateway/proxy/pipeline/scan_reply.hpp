// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gateway/proxy/pipeline/scan_request.hpp"

namespace aispm::gateway {

struct ReplyScan {
  Findings findings;
  std::vector<codec::JsonPatch> patches;
};

// Scans every text of a reply that came whole; tool arguments also with their escapes resolved.
Result<ReplyScan> scan_reply(const ScanContext& context, codec::Api api,
                             const codec::LlmReply& reply);

// The surface of a reply's channel.
detect::Surface surface_of(codec::ChannelKind kind);
// The outcome table of a reply's channel: signed thinking (Anthropic) may be withheld but not
// edited.
const OutcomeTables::Table& table_of(const OutcomeTables& tables, codec::Api api,
                                     codec::ChannelKind kind);

}  // namespace aispm::gateway
