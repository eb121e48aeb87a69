// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/workers.hpp"

#include "gateway/collector/limits.hpp"

namespace aispm::collector {

Result<std::unique_ptr<Workers>> Workers::start(const std::string& store_path,
                                                const std::string& tenant, std::size_t count) {
  auto workers = std::make_unique<Workers>();
  for (std::size_t i = 0; i < count; ++i) {
    AISPM_TRY(store::Database database, store::Database::open(store_path));
    workers->desks_.push_back(std::make_unique<Desk>(std::move(database), tenant));
  }
  for (const auto& desk : workers->desks_)
    workers->threads_.emplace_back(
        [self = workers.get(), worker = desk.get()] { self->run(*worker); });
  return workers;
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<> Workers::post(Job job) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) return fail(Errc::kUnavailable, "the collector is stopping");
  if (jobs_.size() >= limits::kMaxPendingCalls)
    return fail(Errc::kExhausted, "too many calls wait: try again");
  jobs_.push_back(std::move(job));
  changed_.notify_one();
  return {};
}

void Workers::run(Desk& desk) {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(desk);
  }
}

}  // namespace aispm::collector
