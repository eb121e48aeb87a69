// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/scan_reply.hpp"

namespace aispm::gateway {

// What the detect.yaml of one policy that is only watched says of an exchange, beside the rules in
// force: the same texts, scanned once more with the watched policy's rule book. Nothing of it is
// applied. Lives for one exchange, used after the client has its answer; views into the exchange.
class WatchedDetection {
 public:
  // Findings that are put down; more are counted in the record.
  static constexpr std::size_t kMaxTold = 64;

  // One for each watched policy whose detect.yaml is another than that in force. `desk` is this
  // thread's; a rule book that is not there yet (it is being compiled) says so in the record.
  static std::vector<WatchedDetection> of(RuleDesk& desk, const ScanContext& enforced,
                                          std::string_view tenant);

  void take_request(const codec::LlmRequest& request);
  // A reply that came whole, as the provider said it.
  void take_reply(codec::Api api, const codec::LlmReply& reply);
  // What was kept of a reply that streamed: its text, and the arguments of its tool calls.
  void take_stream(const codec::StreamReply& reply);

  // Whether it says anything else than what was found by the rules in force.
  bool differs_from(const std::vector<model::Detection>& found) const;
  // The decision it would have led to, and what it rests on, as `action_call` of surface
  // "detection".
  void tell(const std::vector<model::Detection>& found, model::Decision& decision,
            model::ActionCall& body) const;

 private:
  WatchedDetection(std::shared_ptr<const PolicyView> policy, ScanContext context)
      : policy_(std::move(policy)), context_(std::move(context)) {}
  void take(Findings findings);
  void take_text(std::string_view text, detect::Surface surface);

  std::shared_ptr<const PolicyView> policy_;
  ScanContext context_;
  Findings findings_;
  std::string trouble_;  // what could not be scanned, and why
};

}  // namespace aispm::gateway
