// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::inventory {

// Things on hosts, one row each. What people decided about a row (state, owner) is never touched
// here. An asset is gone when its sensor says so, or when a full scan of its host that came in
// completely did not name it and nothing was heard of it since that scan began. An agent that no
// sensor reported gets a row of its own, which becomes the sensor's when it is reported later.
// Lives on the writer's thread, inside its transaction; forget() after a rollback.
class Assets {
 public:
  explicit Assets(store::Database& database) : database_(database) {}

  Result<> see(const Concern& concern, const aispm::v1::Asset& asset);
  // An agent did something.
  void see_agent(const Concern& concern, const aispm::v1::Event& event);
  Result<> flush();
  void forget();
  // Assets refused since the last call because their host has too many.
  std::uint64_t take_refused();

 private:
  struct Resync {
    std::string id;
    std::int64_t started = 0;
    std::uint32_t named = 0;
    bool is_complete = false;
  };
  struct Active {
    std::string agent_id;
    std::string source;
    std::int64_t host = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  // True when the host may have the asset.
  Result<bool> make_room(const Concern& concern, const aispm::v1::Asset& asset);
  Result<> write(const Concern& concern, const aispm::v1::Asset& asset);
  Result<> count_in(const Concern& concern, const aispm::v1::Asset& asset, bool is_named_before);
  Result<Resync*> resync_of(std::int64_t host);
  Result<> finish(std::int64_t host, Resync& resync, std::int64_t time);

  store::Database& database_;
  std::map<std::int64_t, Resync> resyncs_;  // by host
  std::map<std::int64_t, Active> agents_;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
