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

// The name of a tool that the model calls: its own words, too. It cannot be cut out, since the
// client would call another tool. True: policy denies. An error: it is too long to be one
// (codec::kMaxNameBytes), or could not be inspected.
Result<bool> scan_tool_name(const ScanContext& context, std::string_view name, Findings& findings);

// Judges what a LeakScreen found and adds it; false: policy denies. Nothing of it can be cut out.
bool take_leaks(const ScanContext& context, std::vector<model::Detection> found,
                Findings& findings);

// Signed thinking (Anthropic) may be withheld but not edited.
bool is_sealed(codec::Api api, codec::ChannelKind kind);
// Whether what the client reads there is held against what the model was told.
bool can_leak(codec::ChannelKind kind);
// The outcome table of a streamed reply's channel.
const OutcomeTables::Table& stream_table(const OutcomeTables& tables, codec::Api api,
                                         codec::ChannelKind kind, detect::Surface surface);

}  // namespace aispm::gateway
