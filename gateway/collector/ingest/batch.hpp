// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

namespace pb = aispm::v1;

using EventId = std::array<char, 16>;

// What a stream is, by its certificate and its Hello. Immutable once made.
struct Producer {
  std::string tenant;     // from the certificate
  std::string host_id;    // from the certificate
  std::string component;  // from the certificate: "sensord" or "gateway"
  pb::Hello hello;
};

// One event that passed validation. `event` lives on the delivery's arena.
struct IncomingEvent {
  EventId id{};
  WallTime time;
  pb::Event* event = nullptr;
  std::string body;        // `event` without what the store keeps in columns
  bool is_stored = false;  // set by the store: false for repetitions and unchanged health
};

// What a stream hands to the writer: its Hello, or one batch.
struct Delivery {
  std::shared_ptr<const Producer> producer;
  bool is_hello = false;
  std::uint64_t sequence = 0;
  std::uint64_t lost_before = 0;
  std::uint64_t rejected = 0;
  std::size_t bytes = 0;
  std::unique_ptr<google::protobuf::Arena> arena;
  std::vector<IncomingEvent> events;
  // Set by the store when the transaction is durable: the highest sequence of this producer.
  std::uint64_t acknowledged = 0;
};

}  // namespace aispm::collector
