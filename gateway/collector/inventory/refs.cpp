// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/refs.hpp"

#include "gateway/collector/limits.hpp"

namespace aispm::collector::inventory {
namespace {

constexpr std::size_t kMaxCached = 100'000;
constexpr std::string_view kOther = "(other)";

}  // namespace

std::string_view cut_name(std::string_view name) {
  if (name.size() <= limits::kMaxNameBytes) return name;
  std::size_t size = limits::kMaxNameBytes;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
  return name.substr(0, size);
}

Result<std::int64_t> Refs::host(const std::string& host_id) {
  if (const auto found = hosts_.find(host_id); found != hosts_.end()) return found->second;
  AISPM_TRY(store::Statement* const find,
            database_.cached("SELECT ref FROM hosts WHERE host_id=?"));
  AISPM_TRY(const bool is_row, find->bind(host_id).step());
  if (!is_row) return fail(Errc::kNotFound, "host " + host_id + " is not enrolled here");
  const std::int64_t ref = find->integer(0);
  find->reset();
  hosts_.emplace(host_id, ref);
  return ref;
}

Result<std::int64_t> Refs::intern(Cache& cache, const Table& table, std::string_view name,
                                  std::int64_t extra, WallTime time) {
  std::string key = std::to_string(extra) + '/' + std::string(name);
  if (const auto found = cache.find(key); found != cache.end()) return found->second;
  if (cache.size() >= kMaxCached) cache.clear();
  AISPM_TRY(store::Statement* const find, database_.cached(table.find));
  AISPM_TRY(const bool is_row, find->bind(name, extra).step());
  std::int64_t ref = 0;
  if (is_row) {
    ref = find->integer(0);
    find->reset();
  } else {
    AISPM_TRY(store::Statement* const count, database_.cached(table.count));
    AISPM_TRY(const bool is_counted, count->step());
    const bool is_full = is_counted && count->integer(0) >= kMaxRows;
    count->reset();
    if (is_full && name != kOther) return intern(cache, table, kOther, extra, time);
    AISPM_CHECK(run_sql(database_, table.insert, name, extra, time.nanoseconds));
    ref = database_.last_row();
  }
  cache.emplace(std::move(key), ref);
  return ref;
}

Result<std::int64_t> Refs::agent(std::string_view agent_id, WallTime time) {
  static constexpr Table kTable = {
      "SELECT ref FROM agents WHERE agent_id=?1 AND ?2=0",
      "INSERT INTO agents (agent_id, first_seen, last_seen) SELECT ?1, ?3, ?3 WHERE ?2=0",
      "SELECT COUNT(*) FROM agents",
  };
  return intern(agents_, kTable, cut_name(agent_id), 0, time);
}

Result<std::int64_t> Refs::provider(std::string_view name, WallTime time) {
  static constexpr Table kTable = {
      "SELECT ref FROM providers WHERE provider=?1 AND ?2=0",
      "INSERT INTO providers (provider, first_seen, last_seen) SELECT ?1, ?3, ?3 WHERE ?2=0",
      "SELECT COUNT(*) FROM providers",
  };
  return intern(providers_, kTable, cut_name(name), 0, time);
}

Result<std::int64_t> Refs::model(std::string_view name, std::int64_t provider, WallTime time) {
  static constexpr Table kTable = {
      "SELECT ref FROM models WHERE model=?1 AND provider=?2",
      "INSERT INTO models (model, provider, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)",
      "SELECT COUNT(*) FROM models",
  };
  return intern(models_, kTable, cut_name(name), provider, time);
}

void Refs::forget() {
  hosts_.clear();
  agents_.clear();
  providers_.clear();
  models_.clear();
}

}  // namespace aispm::collector::inventory
