// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gateway/net/watchdog.hpp"
#include "gateway/proxy/counters.hpp"
#include "gateway/proxy/fleet/freeze_list.hpp"
#include "gateway/proxy/observe/work_watch.hpp"
#include "gateway/proxy/observe/worker_figures.hpp"
#include "gateway/proxy/pipeline/scan_request.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/services.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {

// One thread with an event loop of its own: it accepts connections, and they stay with it to their
// end, as do its upstream connections and scratch memory.
class Worker {
 public:
  // `tcp` and `local` are listening sockets, either may be empty.
  static Result<std::unique_ptr<Worker>> open(Services& services, UniqueFd tcp, UniqueFd local);
  ~Worker();

  // Serves until stop(). On the worker's own thread.
  void run();
  // Any thread: stops accepting, gives running exchanges kDrain, then aborts them.
  void stop();

  Services& services() { return services_; }
  net::asio::io_context& context() { return context_; }
  net::Watchdog& watchdog() { return watchdog_; }
  RuleDesk& desk() { return desk_; }
  // Connections to a provider. One that is no longer in force gets none and keeps none.
  UpstreamPool& pool(const Provider& provider);
  UpstreamPool& mcp_pool(std::size_t server) { return mcp_pools_[server]; }
  UpstreamPool& voter_pool() { return voter_pool_; }
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  WorkerFigures& figures() { return figures_; }
  const WorkerFigures& figures() const { return figures_; }
  bool stopping() const { return stopping_; }
  // Whether the next exchange is one whose work is measured.
  bool measures_work() { return ++begun_ % WorkWatch::kEvery == 0; }
  FreezeList& freezes() { return freezes_; }
  // Any thread: ends what the book freezes, then calls `done` on the worker's thread.
  void apply_freezes(std::shared_ptr<const policy::FreezeBook> book, std::function<void()> done);
  // The rules in force for a caller; views in `caller` must outlive what is scanned with it.
  // kUnavailable: rules are still being loaded. `policies`: in place of those that decide about the
  // caller; null: those.
  Result<ScanContext> open_rules(std::string_view tenant, const policy::Context& caller,
                                 const PolicySet* policies = nullptr);
  // An exchange about to make a system call that wakes a peer, or to do what nobody waits for: all
  // that is ready goes first, if another exchange runs. Peers are woken once for several writes
  // then, instead of falling asleep between any two.
  net::asio::awaitable<void> let_others_pass();
  // Room for what a stream reads and says in one turn, which no stream holds while it waits.
  std::span<char> read_room();
  void lend_room(std::string& text) {
    if (text.empty()) text.swap(write_room_);
  }
  // Empties `text` and takes its memory.
  void take_room(std::string& text);
  // Gives an event to the recorder, without the secrets that stand where none was looked for.
  void record(model::Event&& event);

  // Of one exchange, for as long as it runs.
  class Turn {
   public:
    explicit Turn(Worker& worker) : worker_(worker) { ++worker_.exchanges_; }
    ~Turn() { --worker_.exchanges_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Worker& worker_;
  };

  static constexpr std::chrono::seconds kDrain{5};
  // As many events of a stream that has much to say as others can wait for.
  static constexpr std::size_t kReadBytes = 8U << 10;
  static constexpr std::size_t kKeptWriteBytes = 64U << 10;

 private:
  explicit Worker(Services& services);
  class Door;  // one listening socket
  void begin_stop();
  void wait_for_end();
  void renew_pools();

  struct ProviderPool {
    std::shared_ptr<const Provider> provider;
    UpstreamPool pool;
  };
  Services& services_;
  FreezeList freezes_;                // before all that stands in it
  net::asio::io_context context_{1};  // one thread runs it
  net::Watchdog watchdog_{context_};
  RuleDesk desk_;
  std::vector<std::unique_ptr<ProviderPool>> pools_;
  UpstreamPool no_pool_;  // of those that are not in force
  std::vector<UpstreamPool> mcp_pools_;
  UpstreamPool voter_pool_;
  Counters counters_;
  WorkerFigures figures_;
  std::vector<std::unique_ptr<Door>> doors_;
  net::asio::steady_timer drain_{context_};
  net::Clock::time_point drain_until_;
  bool stopping_ = false;
  std::size_t exchanges_ = 0;
  std::uint32_t begun_ = 0;
  std::unique_ptr<char[]> read_room_;
  std::string write_room_;
};

}  // namespace aispm::gateway
