// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/opinions.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "gateway/proxy/guard_call.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::gateway {

using net::Task;
using net::asio::awaitable;

namespace {

// Beyond the deadline of the slowest judge, for a thread that was not scheduled.
constexpr std::chrono::seconds kGrace{1};

std::string joined(const std::vector<OpinionText>& texts, std::size_t min_bytes,
                   std::size_t max_bytes) {
  std::string all;
  for (const OpinionText& text : texts) {
    if (all.size() >= max_bytes) break;
    if (text.text.size() < min_bytes) continue;
    if (!all.empty()) all += "\n\n";
    all += text.text.substr(0, max_bytes - std::min(max_bytes, all.size()));
  }
  return to_utf8(all);
}

}  // namespace

Opinions::Opinions(Worker& worker)
    : context_(worker.context()), wake_(context_), counters_(&worker.counters()) {}

struct VoterCall {
  static awaitable<void> run(std::shared_ptr<Opinions> opinions, Worker& worker, Voter& voter,
                             std::string text, detect::Surface surface) {
    const std::size_t bytes = text.size();
    auto answer = co_await ask_guard(worker, voter, std::move(text), voter.config().deadline);
    if (answer) {
      for (model::Detection& detection : describe_guard(*answer, surface, bytes, voter.name()))
        opinions->answers_.detections.push_back(std::move(detection));
    } else if (!voter.config().optional) {
      opinions->answers_.missing.push_back(voter.provider().config().name + ": " +
                                           answer.error().message);
    } else {
      opinions->keys_.clear();  // whom it did not look at it did not find clean
    }
    opinions->answered();
  }
};

std::shared_ptr<Opinions> Opinions::ask(Worker& worker, const Question& question,
                                        const std::shared_ptr<Workbench>& bench) {
  Services& services = worker.services();
  const OpinionConfig& config = services.config.detect.opinions;
  const bool judges = question.classify && services.semantic && services.semantic->health().ready;
  if (!judges && services.voters.empty()) return nullptr;
  std::size_t min_bytes = kMinOpinionBytes;
  for (const std::unique_ptr<Voter>& voter : services.voters)
    min_bytes = std::min(min_bytes, voter->config().min_bytes);
  const OpinionTexts texts = texts_for_opinion(question.request, question.looks, bench->tier1,
                                               bench->opined, config.bytes, min_bytes);
  if (texts.skipped_bytes > 0) worker.counters().opinions_partial.add();
  if (texts.texts.empty()) return nullptr;
  auto opinions = std::make_shared<Opinions>(worker);
  opinions->known_ = std::shared_ptr<KnownTexts>(bench, &bench->opined);
  opinions->limit_ = config.deadline;
  for (const OpinionText& text : texts.texts)
    if (text.key != 0) opinions->keys_.push_back(text.key);
  for (const std::unique_ptr<Voter>& voter : services.voters)
    opinions->ask_voter(worker, *voter, texts.texts);
  if (judges) opinions->ask_semantic(*services.semantic, texts.texts);
  return opinions;
}

std::shared_ptr<Opinions> Opinions::ask_semantic_tier(Worker& worker, const OpinionTexts& texts) {
  Services& services = worker.services();
  if (!services.semantic || !services.semantic->health().ready || texts.texts.empty())
    return nullptr;
  auto opinions = std::make_shared<Opinions>(worker);
  opinions->limit_ = services.config.detect.opinions.deadline;
  opinions->ask_semantic(*services.semantic, texts.texts);
  return opinions;
}

void Opinions::ask_voter(Worker& worker, Voter& voter, const std::vector<OpinionText>& texts) {
  std::string asked = joined(texts, voter.config().min_bytes, voter.config().bytes);
  if (asked.empty()) return;  // all of them are too short for it
  ++open_;
  limit_ = std::max(limit_, voter.config().deadline);
  std::size_t bytes = 0;
  for (const OpinionText& text : texts) bytes += text.text.size();
  if (bytes > voter.config().bytes) {
    worker.counters().opinions_partial.add();
    keys_.clear();  // what the guard model has not seen whole is not known
  }
  net::asio::co_spawn(
      context_,
      VoterCall::run(shared_from_this(), worker, voter, std::move(asked), texts.front().surface),
      net::asio::detached);
}

void Opinions::ask_semantic(detect::SemanticJudge& judge, const std::vector<OpinionText>& texts) {
  const auto deadline = detect::SteadyTime::clock::now() + limit_;
  for (const OpinionText& text : texts) {
    if (text.text.size() < kMinOpinionBytes) continue;
    ++open_;
    judge.submit(text.text, text.surface, deadline,
                 [self = shared_from_this(), text](const detect::SemanticAnswer& answer) {
                   net::asio::post(self->context_,
                                   [self, text, answer] { self->take_semantic(text, answer); });
                 });
  }
}

// Of `asked` only what is no view may be read: the texts may be gone.
void Opinions::take_semantic(const OpinionText& asked, const detect::SemanticAnswer& answer) {
  switch (answer.outcome) {
    case detect::SemanticOutcome::kJudged:
      if (!answer.verdict.whole) keys_.clear();
      if (auto detection = describe_semantic(answer.verdict, asked)) {
        counters_->semantic_fired.add();
        answers_.detections.push_back(std::move(*detection));
      }
      break;
    case detect::SemanticOutcome::kNoModel:  // tier 1 stands alone, and may not for ever
      keys_.clear();
      break;
    default:
      answers_.missing.push_back("semantic tier: " + std::string(name_of(answer.outcome)));
  }
  answered();
}

void Opinions::answered() {
  --open_;
  if (open_ == 0 && known_ && answers_.missing.empty() && answers_.detections.empty())
    for (const std::uint64_t key : keys_) known_->add(key);
  wake_.cancel();
  if (told_) told_();
}

Task<> Opinions::wait() {
  const auto until = net::Clock::now() + limit_ + kGrace;
  while (open_ > 0) {
    wake_.expires_at(until);
    (void)co_await wake_.async_wait(net::kNoThrow);
    if (open_ == 0 || net::Clock::now() < until) continue;
    answers_.missing.emplace_back("a judge gave no answer at all");
    break;
  }
  co_return Result<>{};
}

}  // namespace aispm::gateway
