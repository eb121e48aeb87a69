// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::inventory {

// Names that came from outside, at most kMaxNameBytes, cut between UTF-8 characters.
std::string_view cut_name(std::string_view name);

// Row numbers of hosts, agents, providers and models by name; missing rows (except hosts, which
// enrol) are made. Names are chosen by strangers, so a table holds at most kMaxRows; later names
// count under "(other)". Lives on the writer's thread, inside its transaction; forget() after a
// rollback.
class Refs {
 public:
  static constexpr std::int64_t kMaxRows = 50000;

  explicit Refs(store::Database& database) : database_(database) {}
  // kNotFound for a host that never enrolled here.
  Result<std::int64_t> host(const std::string& host_id);
  Result<std::int64_t> agent(std::string_view agent_id, WallTime time);
  Result<std::int64_t> provider(std::string_view name, WallTime time);
  Result<std::int64_t> model(std::string_view name, std::int64_t provider, WallTime time);
  void forget();

 private:
  using Cache = std::unordered_map<std::string, std::int64_t>;
  struct Table {
    const char* find;
    const char* insert;
    const char* count;
  };
  // `extra` is the second key column: the provider of a model, 0 elsewhere.
  Result<std::int64_t> intern(Cache& cache, const Table& table, std::string_view name,
                              std::int64_t extra, WallTime time);

  store::Database& database_;
  Cache hosts_;
  Cache agents_;
  Cache providers_;
  Cache models_;
};

}  // namespace aispm::collector::inventory
