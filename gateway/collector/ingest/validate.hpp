// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/collector/ingest/batch.hpp"
#include "gateway/collector/ingest/uuid.hpp"
#include "sdk/core/common/result.hpp"

// From bytes of the wire to deliveries. Pure: no clock, no I/O. Thread-safe.
namespace aispm::collector {

// An EventBatch whose events are still bytes: one that does not parse costs itself, not its
// neighbours.
struct RawBatch {
  std::uint64_t sequence = 0;
  std::uint64_t lost_before = 0;
  std::vector<std::string_view> events;
};

// Reads one ReportRequest. Views point into `bytes`. kInvalid: not a ReportRequest, more than
// kMaxBatchEvents, sequence 0.
Result<std::variant<pb::Hello, RawBatch>> decode_report(std::string_view bytes);

// kInvalid with the field that is wrong.
Result<> check_hello(const pb::Hello& hello);

// Parses and checks one event for that producer: limits, ids, times, and that its source is one
// this component may speak for. Sets tenant, host id and (when empty) the source. The result's
// `event` lives on `arena`.
Result<IncomingEvent> accept_event(std::string_view bytes, const Producer& producer,
                                   google::protobuf::Arena& arena);

// A batch with what was acceptable of it; `first_problem` tells the reason of the first refusal, if
// any.
struct AcceptedBatch {
  std::unique_ptr<Delivery> delivery;
  std::string first_problem;
};
AcceptedBatch accept_batch(const RawBatch& batch, const std::shared_ptr<const Producer>& producer);

}  // namespace aispm::collector
