// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/collector/store/asset_book.hpp"
#include "gateway/collector/store/database.hpp"
#include "gateway/collector/store/inventory_reader.hpp"
#include "gateway/collector/store/reader.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

// What a worker owns: its own connection to the store.
struct Desk {
  Desk(store::Database opened, const std::string& tenant)
      : database(std::move(opened)),
        reader(database, tenant),
        inventory(database),
        registry(database),
        assets(database) {}
  store::Database database;
  store::Reader reader;
  store::InventoryReader inventory;
  store::Registry registry;
  store::AssetBook assets;
  // Who makes the call at hand: set when it was authenticated.
  store::Registry::Caller caller;
};

// A few threads that may wait for the store, so that gRPC and HTTP threads never do.
class Workers {
 public:
  using Job = std::function<void(Desk&)>;

  static Result<std::unique_ptr<Workers>> start(const std::string& store_path,
                                                const std::string& tenant, std::size_t count);
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // Finishes the jobs that wait.
  ~Workers();

  // kExhausted when kMaxPendingCalls wait. Any thread; never blocks.
  Result<> post(Job job);

 private:
  void run(Desk& desk);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool is_stopping_ = false;
  std::vector<std::unique_ptr<Desk>> desks_;
  std::vector<std::thread> threads_;
};

}  // namespace aispm::collector
