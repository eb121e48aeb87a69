// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/freeze_watcher.hpp"

#include <future>
#include <mutex>

#include "sdk/core/report/ack_sender.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

using FreezeFollower = SnapshotFollower<v1::WatchFreezesRequest, v1::FreezeSnapshot>;

// What is said to the collector about the newest book. Any thread.
class Answer {
 public:
  using Sender = AckSender<v1::AckFreezesRequest, v1::AckFreezesReply>;
  explicit Answer(std::string instance)
      : sender_("freezes", &v1::Ingest::Stub::AckFreezes, std::move(instance)) {}

  // A new book: nothing is said of it before stored().
  std::uint64_t begin(v1::AckFreezesRequest ack) {
    const std::lock_guard lock(mutex_);
    ack_ = std::move(ack);
    late_.clear();
    is_stored_ = false;
    return ++book_;
  }
  void set_late(std::uint64_t book, const std::string& late) {
    const std::lock_guard lock(mutex_);
    if (book != book_) return;
    late_ = late;
    if (is_stored_) say();
  }
  // In force it is in any case; whether it will be after a restart the collector must know.
  void stored(const Result<>& stored) {
    const std::lock_guard lock(mutex_);
    kept_ = stored ? "" : "not kept over a restart: " + stored.error().message;
    is_stored_ = true;
    say();
  }
  Sender& sender() { return sender_; }

 private:
  void say() {
    v1::AckFreezesRequest ack = ack_;
    for (v1::AckFreezesRequest::State& state : *ack.mutable_states())
      if (state.problem().empty()) state.set_problem(late_.empty() ? kept_ : late_);
    sender_.say(std::move(ack));
  }

  std::mutex mutex_;
  v1::AckFreezesRequest ack_;  // without what is late or not kept
  std::uint64_t book_ = 0;
  std::string late_;
  std::string kept_;
  bool is_stored_ = false;
  Sender sender_;
};

class GrpcFreezeWatcher final : public FreezeWatcher {
 public:
  GrpcFreezeWatcher(const ReporterOptions& options, OnChange on_change)
      : on_change_(std::move(on_change)),
        answer_(std::make_shared<Answer>(options.state_folder)),
        follower_(options, subject()) {}

  void wait_for_first() { first_.get_future().wait(); }

 private:
  FreezeFollower::Subject subject() {
    return {
        .name = "freezes",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchFreezes(rest...); },
        .take = [this](const v1::FreezeSnapshot& snapshot) { take(snapshot); },
        .take_nothing = [this] { announce(std::make_shared<const policy::FreezeBook>(), {}); },
        .meanwhile = [this](const auto& channel,
                            const std::stop_token& end) { answer_->sender().run(channel, end); },
        .take_damaged =
            [this](const std::string& reason) {
              announce(
                  policy::FreezeBook::closed("the freezes kept on disk cannot be used: " + reason),
                  {});
            },
        .stored = [this](const Result<>& stored) { answer_->stored(stored); },
        .is_urgent = true};
  }

  void take(const v1::FreezeSnapshot& snapshot) {
    v1::AckFreezesRequest ack;
    ack.set_version(snapshot.version());
    std::vector<policy::Freeze> freezes;
    for (const v1::Freeze& one : snapshot.freezes()) {
      auto* const state = ack.add_states();
      state->set_freeze_id(one.id());
      auto freeze = from_proto(one);
      if (freeze && freezes.size() < policy::FreezeBook::kMaxFreezes)
        freezes.push_back(std::move(*freeze));
      else
        state->set_problem(freeze ? "more freezes than this host can hold"
                                  : freeze.error().message);
    }
    announce(std::make_shared<const policy::FreezeBook>(std::move(freezes), snapshot.tenant(),
                                                        snapshot.version()),
             std::move(ack));
  }

  void announce(std::shared_ptr<const policy::FreezeBook> book, v1::AckFreezesRequest ack) {
    const std::uint64_t number = answer_->begin(std::move(ack));
    on_change_(std::move(book), [answer = answer_, number](const std::string& late) {
      answer->set_late(number, late);
    });
    if (!std::exchange(was_announced_, true)) first_.set_value();
  }

  const OnChange on_change_;
  bool was_announced_ = false;  // of the follower's thread
  std::promise<void> first_;
  const std::shared_ptr<Answer> answer_;
  FreezeFollower follower_;  // last: its threads use the rest
};

Result<policy::FreezeScope> scope_of(v1::FreezeScope scope) {
  switch (scope) {
    case v1::FREEZE_SCOPE_AGENT:
      return policy::FreezeScope::kAgent;
    case v1::FREEZE_SCOPE_SESSION:
      return policy::FreezeScope::kSession;
    case v1::FREEZE_SCOPE_USER:
      return policy::FreezeScope::kUser;
    case v1::FREEZE_SCOPE_MODEL:
      return policy::FreezeScope::kModel;
    case v1::FREEZE_SCOPE_TENANT:
      return policy::FreezeScope::kTenant;
    case v1::FREEZE_SCOPE_ALL:
      return policy::FreezeScope::kAll;
    default:
      return fail(Errc::kInvalid, "a scope that this version does not know");
  }
}

}  // namespace

Result<policy::Freeze> from_proto(const v1::Freeze& from) {
  constexpr std::int64_t kMaxSeconds = 9'223'372'036;  // 2262
  policy::Freeze freeze;
  freeze.id = from.id();
  AISPM_TRY(freeze.scope, scope_of(from.scope()));
  if (freeze.scope != policy::FreezeScope::kAll && from.value().empty())
    return fail(Errc::kInvalid, "it names nobody");
  freeze.value = policy::Glob(from.value());
  freeze.kills = from.kill();
  freeze.reason = from.reason();
  freeze.created_by = from.created_by();
  if (from.has_expires()) {
    const auto& time = from.expires();
    // An end that cannot be understood is none.
    if (time.seconds() >= 0 && time.seconds() < kMaxSeconds && time.nanos() >= 0 &&
        time.nanos() <= 999'999'999)
      freeze.expires = WallTime{time.seconds() * 1'000'000'000 + time.nanos()};
  }
  return freeze;
}

Result<std::unique_ptr<FreezeWatcher>> FreezeWatcher::open(const ReporterOptions& options,
                                                           OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  auto watcher = std::make_unique<GrpcFreezeWatcher>(options, std::move(on_change));
  watcher->wait_for_first();
  return watcher;
}

}  // namespace aispm::report
