// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/report/spool.hpp"
#include "tests/support/temp_folder.hpp"

// Fills and reads a spool for its tests.
namespace aispm::report {

inline constexpr std::uint64_t kCap = 1U << 20;

inline std::unique_ptr<Spool> open_spool(const testing::TempFolder& folder,
                                         std::uint64_t cap = kCap) {
  return Spool::open(folder.path(), cap).value();
}

// The serialized `events` field of a batch whose events have these ids.
inline std::string events_of(const std::vector<std::string>& ids, std::size_t padding = 0) {
  v1::EventBatch batch;
  for (const std::string& id : ids) {
    auto* const event = batch.add_events();
    event->set_id(id);
    event->mutable_agent_log()->set_message(std::string(padding, 'p'));
  }
  return batch.SerializeAsString();
}

inline bool append(Spool& spool, const std::vector<std::string>& ids, std::size_t padding = 0) {
  return spool.append(events_of(ids, padding), static_cast<std::uint32_t>(ids.size())).has_value();
}

inline void append_and_sync(Spool& spool, const std::vector<std::string>& ids) {
  ASSERT_TRUE(append(spool, ids));
  ASSERT_TRUE(spool.sync());
}

struct Seen {
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> ids;
  std::uint64_t lost = 0;
};

inline Seen read_all(Spool& spool) {
  Seen seen;
  while (const auto batch = spool.next().value()) {
    v1::EventBatch message;
    EXPECT_TRUE(message.ParseFromString(batch->payload));
    EXPECT_EQ(message.sequence(), batch->sequence);
    EXPECT_EQ(static_cast<std::uint32_t>(message.events_size()), batch->events);
    seen.sequences.push_back(batch->sequence);
    for (const auto& event : message.events()) seen.ids.push_back(event.id());
    seen.lost += batch->lost_before;
  }
  return seen;
}

inline std::vector<std::string> segment_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".seg") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace aispm::report
