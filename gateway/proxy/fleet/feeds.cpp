// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/feeds.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "gateway/proxy/worker.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/freeze_watcher.hpp"
#include "sdk/core/report/policy_watcher.hpp"

namespace aispm::gateway {
namespace {

// A worker that does not come back to its loop for so long is not waited for: it is said to be
// late.
constexpr std::chrono::milliseconds kCutLimit{250};

// Without a collector.
class NoFeeds final : public Feeds {
 public:
  void attach(std::span<const std::unique_ptr<Worker>>) override {}
};

// Workers that cut what runs, and who has not done so yet.
class Cut {
 public:
  Cut(std::size_t workers, report::FreezeWatcher::Say say)
      : workers_(workers), say_(std::move(say)) {}

  // On a worker's thread.
  void done() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
    if (was_late_) tell();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    was_late_ = !changed_.wait_for(lock, kCutLimit, [&] { return count_ >= workers_; });
    if (was_late_) log::warn("freeze.slow_worker", {{"workers", workers_ - count_}});
    tell();
  }

 private:
  void tell() const {
    say_(count_ >= workers_
             ? std::string()
             : "new requests are refused; " + std::to_string(workers_ - count_) + " of " +
                   std::to_string(workers_) + " workers have not cut yet what runs");
  }

  const std::size_t workers_;
  const report::FreezeWatcher::Say say_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
  bool was_late_ = false;
};

class CollectorFeeds final : public Feeds {
 public:
  explicit CollectorFeeds(Services& services) : services_(services) {}

  Result<> follow() {
    const report::ReporterOptions options = reporter_options(services_.config);
    const PolicyDemands& demands = services_.config.policies;
    AISPM_TRY(freezes_, report::FreezeWatcher::open(
                            options, [this](std::shared_ptr<const policy::FreezeBook> book,
                                            report::FreezeWatcher::Say say) {
                              enforce(book, std::move(say));
                            }));
    AISPM_TRY(policies_, report::PolicyWatcher::open(
                             options, policy::PolicyRules{bundle_options(), demands.required},
                             [this](std::shared_ptr<const policy::PolicyBook> book) {
                               take(std::move(book));
                             }));
    return {};
  }

  void attach(std::span<const std::unique_ptr<Worker>> workers) override {
    const std::lock_guard lock(mutex_);
    workers_ = workers;
  }

 private:
  // A bundle comes into force when the engine that it asks for is there.
  policy::BundleOptions bundle_options() {
    const PolicyDemands& demands = services_.config.policies;
    return {.trusted_keys = demands.trusted_keys,
            .must_be_signed = demands.must_be_signed,
            .take_detect = [this](const auto& part) { return services_.rules.admit(part); },
            .host_agents = &services_.config.decide.agents};
  }

  void take(std::shared_ptr<const policy::PolicyBook> book) {
    // What blocks must block under this host's own bundle as well.
    if (const auto taken = services_.bundles.take_registry(book->registry()); !taken)
      log::error("registry.not_in_own_bundle", {{"reason", taken.error().message}});
    services_.policies.store(std::move(book));
  }

  // New requests see the book at once; what runs is cut before this returns, or it is said who is
  // late.
  void enforce(const std::shared_ptr<const policy::FreezeBook>& book,
               report::FreezeWatcher::Say say) {
    services_.freezes.store(book);
    const std::lock_guard lock(mutex_);
    const auto cut = std::make_shared<Cut>(workers_.size(), std::move(say));
    for (const auto& worker : workers_) worker->apply_freezes(book, [cut] { cut->done(); });
    cut->wait();
  }

  Services& services_;
  std::mutex mutex_;
  std::span<const std::unique_ptr<Worker>> workers_;
  std::unique_ptr<report::FreezeWatcher> freezes_;
  std::unique_ptr<report::PolicyWatcher> policies_;
};

}  // namespace

Result<std::unique_ptr<Feeds>> Feeds::open(Services& services) {
  if (!services.config.report) return std::make_unique<NoFeeds>();
  auto feeds = std::make_unique<CollectorFeeds>(services);
  AISPM_CHECK(feeds->follow());
  return feeds;
}

}  // namespace aispm::gateway
