// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/apply/real_host.hpp"
#include "sandbox/pool/entry.hpp"
#include "sandbox/supervise/event_loop.hpp"

namespace aispm::sandbox {

struct PoolSettings {
  std::string socket;
  std::size_t entries = 2;              // that wait, for each kind of run
  std::size_t max_entries = 16;         // that wait in all
  std::chrono::seconds idle{600};       // a kind that nobody asked for is given up
  std::chrono::seconds max_age{300};    // entries are replaced: the host's files change
  std::chrono::milliseconds pause{20};  // between two starts
};

// Keeps finished sandboxes for those who ask for them, and gives each away once (ADR 0037).
// A kind is what one user runs with one profile and interpreter; it is kept from the first request
// on. Entries die with the keeper; what was given away goes on. Single-threaded.
class Keeper {
 public:
  // `library` and `runner`: see Entry. `signals`: signalfd of SIGTERM, SIGINT (end) and SIGHUP
  // (build all entries anew); `signal_mask` is that of before.
  static Result<std::unique_ptr<Keeper>> open(PoolSettings settings, UniqueFd library,
                                              std::string runner, UniqueFd signals,
                                              const sigset_t& signal_mask);
  ~Keeper();
  // Returns when it was asked to end.
  Result<> run();

 private:
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kMaxKinds = 64;
  static constexpr std::size_t kMaxTimes = 512;
  static constexpr int kMaxFailures = 3;  // in a row; then a kind is given up until it idles out

  struct Kind {
    Plan base;
    PoolClock::time_point asked;
    std::list<std::unique_ptr<Entry>> entries;
    int failures = 0;
    std::string problem;
  };
  // Given away, or given up: waits for the end of process 1 and of the taker.
  struct Leaving {
    std::unique_ptr<Entry> entry;
    UniqueFd connection;
  };
  struct Visitor {
    UniqueFd connection;
    PoolClock::time_point since;
  };

  explicit Keeper(PoolSettings settings, EventLoop loop);
  Result<> listen();
  void accept_visitor();
  void answer(int connection);
  Result<> serve(int connection, const ControlMessage& request, UniqueFd& kept);
  Result<Kind*> kind_for(const PoolKey& key);
  void refill();
  void start_one(const PoolKey& key, Kind& kind);
  void advance(const PoolKey& key, Entry* entry);
  void drop(Kind& kind, Entry* entry);
  void drop_all();
  void make_room();
  void expire();
  void tidy();
  void read_signals();
  std::size_t waiting() const;
  bool is_building() const;

  PoolSettings settings_;
  EventLoop loop_;
  RealHost host_{{}};
  UniqueFd library_;
  std::string runner_;
  UniqueFd signals_;
  sigset_t signal_mask_{};
  UniqueFd listener_;
  std::map<PoolKey, Kind> kinds_;
  std::map<int, Visitor> visitors_;
  std::list<Leaving> leaving_;
  std::uint64_t started_ = 0;
  // How long the last ones took to make: that execute, with an interpreter.
  std::vector<std::chrono::microseconds> times_[2];
  std::uint64_t taken_ = 0;
  std::uint64_t refused_ = 0;  // asked in vain
  PoolClock::time_point next_start_ = PoolClock::now();
  bool is_ending_ = false;
};

}  // namespace aispm::sandbox
