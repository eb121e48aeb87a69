// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic_judge.hpp"

#include <algorithm>
#include <utility>

#include "sdk/core/common/file.hpp"

namespace aispm::detect {

namespace {

std::chrono::microseconds since(SteadyTime start, SteadyTime end) {
  return std::chrono::duration_cast<std::chrono::microseconds>(end - start);
}

void count(SemanticHealth& health, const SemanticAnswer& answer) {
  switch (answer.outcome) {
    case SemanticOutcome::kJudged:
      ++health.judged;
      health.fired += answer.verdict.fires;
      health.partial += !answer.verdict.whole;
      break;
    case SemanticOutcome::kLate:
      ++health.late;
      break;
    case SemanticOutcome::kDropped:
      ++health.dropped;
      break;
    case SemanticOutcome::kNoModel:
      ++health.no_model;
      break;
    case SemanticOutcome::kStopped:
      ++health.stopped;
      break;
  }
}

}  // namespace

std::string_view name_of(SemanticOutcome outcome) {
  switch (outcome) {
    case SemanticOutcome::kJudged:
      return "judged";
    case SemanticOutcome::kLate:
      return "late";
    case SemanticOutcome::kDropped:
      return "dropped";
    case SemanticOutcome::kNoModel:
      return "no_model";
    case SemanticOutcome::kStopped:
      return "stopped";
  }
  return "unknown";
}

SemanticJudge::SemanticJudge(std::shared_ptr<const SemanticModel> model, Options options,
                             std::string reason)
    : model_(std::move(model)), options_(std::move(options)), reason_(std::move(reason)) {
  if (!model_ && !options_.make_scorer) return;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options_.workers); ++i) {
    Scorer scorer;
    if (options_.make_scorer) {
      scorer = options_.make_scorer();
    } else {
      auto scratch = std::make_shared<SemanticScratch>();
      scorer = [model = model_, scratch](std::string_view text, Surface surface,
                                         const StopCheck& stop) {
        return model->judge(text, surface, *scratch, stop);
      };
    }
    threads_.emplace_back([this, scorer = std::move(scorer)] { work(scorer); });
  }
  threads_.emplace_back([this] { watch(); });
}

std::unique_ptr<SemanticJudge> SemanticJudge::open(const std::string& path, Options options) {
  const auto load = [&]() -> Result<std::shared_ptr<const SemanticModel>> {
    AISPM_TRY(std::string bytes, read_file(path, kMaxSemanticModelBytes));
    return SemanticModel::parse(std::move(bytes));
  };
  auto model = load();
  if (!model)
    return std::make_unique<SemanticJudge>(nullptr, std::move(options),
                                           path + ": " + model.error().message);
  return std::make_unique<SemanticJudge>(std::move(*model), std::move(options));
}

SemanticJudge::~SemanticJudge() {
  give_up_all();
  for (std::thread& thread : threads_) thread.join();
}

SteadyTime SemanticJudge::now() const {
  return options_.clock ? options_.clock() : SteadyTime::clock::now();
}

void SemanticJudge::submit(std::string_view text, Surface surface, SteadyTime deadline,
                           Callback callback) {
  const auto job = std::make_shared<Job>();
  job->surface = surface;
  job->submitted = now();
  job->deadline = deadline;
  job->callback = std::move(callback);

  SemanticAnswer refusal;
  {
    const std::lock_guard lock(mutex_);
    const bool full = waiting_.size() >= options_.max_waiting ||
                      text.size() > options_.max_waiting_bytes - waiting_bytes_;
    open_.push_back(job);
    if (threads_.empty()) {
      refusal.outcome = SemanticOutcome::kNoModel;
    } else if (stopping_) {
      refusal.outcome = SemanticOutcome::kStopped;
    } else if (deadline <= job->submitted) {
      refusal.outcome = SemanticOutcome::kLate;
    } else if (full) {
      refusal.outcome = SemanticOutcome::kDropped;
    } else {
      job->text = text;
      waiting_bytes_ += text.size();
      waiting_.push_back(job);
      work_.notify_one();
      timer_.notify_one();
      return;
    }
  }
  answer(job, refusal);
}

std::future<SemanticAnswer> SemanticJudge::submit(std::string_view text, Surface surface,
                                                  SteadyTime deadline) {
  const auto promise = std::make_shared<std::promise<SemanticAnswer>>();
  auto future = promise->get_future();
  submit(text, surface, deadline,
         [promise](const SemanticAnswer& answer) { promise->set_value(answer); });
  return future;
}

void SemanticJudge::answer(const JobPtr& job, const SemanticAnswer& answer) {
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find(open_.begin(), open_.end(), job);
    if (at == open_.end()) return;
    open_.erase(at);
    job->cancelled = true;
    count(counters_, answer);
  }
  job->callback(answer);
}

SemanticJudge::JobPtr SemanticJudge::take() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  if (stopping_) return nullptr;
  JobPtr job = waiting_.front();
  waiting_.pop_front();
  waiting_bytes_ -= job->text.size();
  return job;
}

void SemanticJudge::work(Scorer scorer) {
  while (const JobPtr job = take()) {
    SemanticAnswer result;
    const SteadyTime start = now();
    result.waited = since(job->submitted, start);
    const StopCheck stop = [&] { return job->cancelled || now() >= job->deadline; };
    std::optional<SemanticVerdict> verdict;
    if (!stop()) verdict = scorer(job->text, job->surface, stop);
    const SteadyTime end = now();
    result.judging = since(start, end);
    result.outcome =
        verdict && end < job->deadline ? SemanticOutcome::kJudged : SemanticOutcome::kLate;
    if (result.outcome == SemanticOutcome::kJudged) result.verdict = std::move(*verdict);
    answer(job, result);
  }
}

void SemanticJudge::expire() {
  const SteadyTime time = now();
  std::vector<JobPtr> late;
  {
    const std::lock_guard lock(mutex_);
    for (const JobPtr& job : open_)
      if (job->deadline <= time) late.push_back(job);
    std::erase_if(waiting_, [&](const JobPtr& job) {
      if (job->deadline > time) return false;
      waiting_bytes_ -= job->text.size();
      return true;
    });
  }
  SemanticAnswer result;
  result.outcome = SemanticOutcome::kLate;
  for (const JobPtr& job : late) {
    result.waited = since(job->submitted, time);
    answer(job, result);
  }
}

void SemanticJudge::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // A clock of the owner's moves without telling: whoever moves it calls expire().
    const auto first = std::min_element(
        open_.begin(), open_.end(),
        [](const JobPtr& left, const JobPtr& right) { return left->deadline < right->deadline; });
    if (options_.clock || first == open_.end()) {
      timer_.wait(lock);
      continue;
    }
    const SteadyTime deadline = (*first)->deadline;
    if (timer_.wait_until(lock, deadline) != std::cv_status::timeout) continue;
    lock.unlock();
    expire();
    lock.lock();
  }
}

void SemanticJudge::give_up_all() {
  std::vector<JobPtr> open;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    waiting_bytes_ = 0;
    open = open_;
    work_.notify_all();
    timer_.notify_all();
  }
  SemanticAnswer result;
  result.outcome = SemanticOutcome::kStopped;
  for (const JobPtr& job : open) answer(job, result);
}

SemanticHealth SemanticJudge::health() const {
  const std::lock_guard lock(mutex_);
  SemanticHealth health = counters_;
  health.waiting = waiting_.size();
  health.ready = !threads_.empty();
  if (!health.ready) health.reason = reason_.empty() ? "no semantic model is loaded" : reason_;
  if (model_) health.version = model_->version();
  return health;
}

}  // namespace aispm::detect
