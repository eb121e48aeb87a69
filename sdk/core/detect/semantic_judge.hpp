// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sdk/core/detect/semantic.hpp"

// The second tier as callers see it: a verdict that comes later, or does not come, but always an
// answer by the deadline.
//
//   const auto judge = SemanticJudge::open(path, {});      // one per process; always succeeds
//   judge->submit(text, Surface::kPrompt, SteadyTime::clock::now() + 50ms,
//                [](const SemanticAnswer& answer) { ... });
//
// The gateway forwards a request at once, submits its texts here, and releases nothing of the reply
// before the answers are in: while the upstream thinks, judging costs no time. What an answer other
// than kJudged means is the policy's fail mode, not decided here.
//
// Nothing is lost silently: every submit() gets exactly one answer, and each kind is counted.
namespace aispm::detect {

using SteadyTime = std::chrono::steady_clock::time_point;

enum class SemanticOutcome : std::uint8_t {
  kJudged,   // `verdict` holds
  kLate,     // the deadline passed first
  kDropped,  // too much is waiting already
  kNoModel,  // no model file: tier 1 stands alone
  kStopped,  // the judge is being destroyed
};
// "judged", "late", "dropped", "no_model", "stopped"
std::string_view name_of(SemanticOutcome outcome);

struct SemanticAnswer {
  SemanticOutcome outcome = SemanticOutcome::kNoModel;
  SemanticVerdict verdict;               // of kJudged, else as made
  std::chrono::microseconds waited{0};   // from submit() until a worker took it
  std::chrono::microseconds judging{0};  // time the worker took; 0 where none did
};

// What health and metrics show.
struct SemanticHealth {
  bool ready = false;   // a model is loaded
  std::string reason;   // why not, in one sentence; empty when ready
  std::string version;  // of the model: SHA-256 (hex) of its file
  std::size_t waiting = 0;
  std::uint64_t judged = 0;
  std::uint64_t fired = 0;    // of the judged ones
  std::uint64_t partial = 0;  // of the judged ones: too long to be judged whole
  std::uint64_t late = 0;
  std::uint64_t dropped = 0;
  std::uint64_t no_model = 0;
  std::uint64_t stopped = 0;
};

class SemanticJudge {
 public:
  // Called once per submit(), on a thread of the judge or, when refused at once, on the caller's.
  // Must not block, throw, or destroy the judge.
  using Callback = std::function<void(const SemanticAnswer&)>;
  // Judges one text; gives up with nullopt when `is_late` says so. One per worker, so it may keep
  // working memory.
  using Scorer =
      std::function<std::optional<SemanticVerdict>(std::string_view, Surface, const StopCheck&)>;

  struct Options {
    std::size_t workers = 1;
    std::size_t max_waiting = 256;  // texts
    std::size_t max_waiting_bytes = 8U << 20;
    std::function<SteadyTime()> clock;  // empty: the steady clock
    // Empty: the model's own. Tests put slow ones here.
    std::function<Scorer()> make_scorer;
  };

  // `model` null: every answer is kNoModel and health says `reason`.
  SemanticJudge(std::shared_ptr<const SemanticModel> model, Options options,
                std::string reason = {});
  // With the model in the file at `path`; one that is not there or wrong is the reason in health.
  static std::unique_ptr<SemanticJudge> open(const std::string& path, Options options);
  // Answers what waits with kStopped; waits for the window being judged (milliseconds).
  ~SemanticJudge();
  SemanticJudge(const SemanticJudge&) = delete;
  SemanticJudge& operator=(const SemanticJudge&) = delete;

  // Any thread, never blocks. The text is copied.
  void submit(std::string_view text, Surface surface, SteadyTime deadline, Callback callback);
  std::future<SemanticAnswer> submit(std::string_view text, Surface surface, SteadyTime deadline);

  // Answers what is past its deadline. A thread of the judge calls it in time by the steady clock;
  // a test that owns the clock calls it after it moved it.
  void expire();

  SemanticHealth health() const;

 private:
  struct Job {
    std::string text;
    Surface surface = Surface::kPrompt;
    SteadyTime submitted;
    SteadyTime deadline;
    Callback callback;
    std::atomic<bool> cancelled{false};  // answered already: the worker may give up
    bool taken = false;
  };
  using JobPtr = std::shared_ptr<Job>;

  void work(Scorer scorer);
  void watch();
  SteadyTime now() const;
  JobPtr take();
  void give_up_all();
  // Counts the answer and calls back, unless the job was answered before.
  void answer(const JobPtr& job, const SemanticAnswer& answer);

  const std::shared_ptr<const SemanticModel> model_;
  const Options options_;
  const std::string reason_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable timer_;
  std::deque<JobPtr> waiting_;
  std::vector<JobPtr> open_;  // not answered yet: waiting or being judged
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  SemanticHealth counters_;

  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace aispm::detect
