// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Every bound of the collector on bytes from outside, in one place. What exceeds one is refused and
// counted.
namespace aispm::collector::limits {

// Ingest. A message larger than this ends the stream with RESOURCE_EXHAUSTED; the producer must
// send smaller batches.
constexpr std::size_t kMaxMessageBytes = 16U << 20;
constexpr std::size_t kMaxBatchEvents = 4096;
constexpr std::size_t kMaxEventBytes = 1U << 20;
constexpr std::size_t kMaxNameBytes = 256;  // agent, model, provider, rule, user, host names ...
constexpr std::size_t kMaxTextBytes = 512U << 10;  // prompts, replies, log lines, reasons
constexpr std::size_t kMaxDetections = 256;
constexpr std::size_t kMaxArguments = 1024;  // argv, tools, commands, mechanisms, reasons
constexpr std::size_t kMaxMapEntries = 1024;
constexpr std::size_t kMaxEvidence = 256;  // evidence items, attributes of one asset
constexpr std::size_t kMaxAssetBytes = 64U << 10;
constexpr std::size_t kMaxTools = 2048;  // of one tools/list
constexpr std::size_t kMaxGaps = 64;
constexpr std::size_t kMaxAddresses = 256;
constexpr std::size_t kMaxPathBytes = 8U << 10;
// Batches that one stream may have waiting for their Ack; the stream is not read beyond that.
constexpr std::size_t kMaxStreamBatches = 16;
// What waits for the writer, over all streams.
constexpr std::size_t kMaxQueueEvents = 32768;
constexpr std::size_t kMaxQueueBytes = 128U << 20;
// Events in one transaction: large enough that the fsync does not count, small enough that an Ack
// comes soon.
constexpr std::size_t kMaxGroupEvents = 8192;
constexpr std::size_t kMaxStreams = 20000;

// Inventory. What strangers name is bounded; what exceeds a bound is counted in status as
// "inventory refused".
constexpr std::int64_t kMaxAssetsOfHost = 20'000;
constexpr std::int64_t kMaxServers = 20'000;
constexpr std::int64_t kMaxToolsOfServer = 4096;
constexpr std::int64_t kMaxNodes = 100'000;
constexpr std::int64_t kMaxEdges = 500'000;
constexpr std::int64_t kMaxSeenNames = 500'000;
constexpr std::int64_t kMaxCoverageRows = 200'000;
constexpr std::size_t kMaxRememberedAddresses = 65'536;  // address -> name, for new connections

// Enrolment.
constexpr std::size_t kMaxEnrolmentTokenBytes = 256;
constexpr int kClientCertificateDays = 365;
constexpr int kServerCertificateDays = 825;
constexpr int kCaDays = 3650;

// API.
constexpr std::size_t kMaxRequestBytes = 64U << 10;
constexpr std::size_t kMaxPushBytes = 2U << 20;  // of a policy's bundle as JSON
constexpr std::size_t kMaxTargetBytes = 8U << 10;
constexpr std::uint32_t kDefaultPage = 100;
constexpr std::uint32_t kMaxPage = 1000;
// A page of events ends early when their bodies pass this; the next page goes on.
constexpr std::size_t kMaxPageBytes = 8U << 20;
constexpr std::size_t kMaxStoryEvents = 5000;
constexpr std::size_t kMaxStoryBytes = 32U << 20;
constexpr std::chrono::seconds kQueryDeadline{10};
// Of one simulation or proposal, which reads recorded events.
constexpr std::uint64_t kMaxReplayEvents = 200'000;
constexpr std::chrono::seconds kReplayTime{15};
constexpr std::size_t kMaxPendingCalls = 256;  // calls that wait for a worker
constexpr std::size_t kWorkers = 2;

// Live feed.
constexpr std::size_t kMaxSubscribers = 64;
constexpr std::size_t kSubscriberRing = 2048;  // events that wait for one subscriber
constexpr std::size_t kSubscriberUnsentBytes = 256U
                                               << 10;  // bytes that wait in a client's connection
constexpr std::chrono::seconds kKeepAlive{15};

}  // namespace aispm::collector::limits
