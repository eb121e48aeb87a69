// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gateway/net/io.hpp"
#include "gateway/proxy/counters.hpp"
#include "gateway/proxy/pipeline/opinion_texts.hpp"
#include "sdk/core/detect/semantic_judge.hpp"

namespace aispm::gateway {

class Voter;
class Worker;
struct Workbench;

// What slower judges say of one request while its provider works on it: the semantic tier on
// threads of its own, guard models over HTTP. Every question is answered by its deadline, if
// only by saying that no answer came. Lives on its worker's thread; held by those who still have to
// answer.
class Opinions : public std::enable_shared_from_this<Opinions> {
 public:
  struct Answers {
    std::vector<model::Detection> detections;
    std::vector<std::string> missing;  // who did not answer, and why: "semantic tier: late"
  };

  explicit Opinions(Worker& worker);

  struct Question {
    const codec::LlmRequest& request;
    std::span<const FirstLook> looks;  // RequestScan::looks
    bool classify = true;              // false: the tenant wants no classifier
  };
  // Asks whom the configuration names about the request. Null when there is nobody to ask, or
  // nothing that was not judged before. `bench` is told what everybody found clean.
  static std::shared_ptr<Opinions> ask(Worker& worker, const Question& question,
                                       const std::shared_ptr<Workbench>& bench);
  // Asks the semantic tier alone about texts of text_for_opinion(). Null: nobody to ask.
  static std::shared_ptr<Opinions> ask_semantic_tier(Worker& worker, const OpinionTexts& texts);

  // Waits until everybody has answered.
  net::Task<> wait();
  // Called on the worker's thread after each answer; an empty one ends that.
  void on_answer(std::function<void()> told) { told_ = std::move(told); }
  bool complete() const { return open_ == 0; }
  const Answers& answers() const { return answers_; }

 private:
  void ask_semantic(detect::SemanticJudge& judge, const std::vector<OpinionText>& texts);
  void ask_voter(Worker& worker, Voter& voter, const std::vector<OpinionText>& texts);
  void take_semantic(const OpinionText& asked, const detect::SemanticAnswer& answer);
  void answered();
  friend struct VoterCall;

  net::asio::io_context& context_;
  net::asio::steady_timer wake_;
  std::shared_ptr<KnownTexts> known_;
  std::vector<std::uint64_t> keys_;  // of the texts asked about
  std::function<void()> told_;
  Answers answers_;
  std::chrono::milliseconds limit_{0};
  std::size_t open_ = 0;
  Counters* counters_ = nullptr;
};

}  // namespace aispm::gateway
