// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/reply_reader.hpp"

namespace aispm::sensor {

// A request to a language model and its reply: reports the request when it is complete, and the
// call when its reply ended or will not come. A path that others have too is one only when the body
// says so: whatever cannot be read then is nobody's call.
class LlmExchange : public Exchange {
 public:
  LlmExchange(codec::ApiRoute route, const RequestHead& head, const Party& party, BootTime begun,
              Context context);

  bool is_pending() const override { return !ended_ && !is_other_; }
  void take_request(std::string_view bytes) override;
  void skip_request(std::uint64_t size) override;
  void end_request(bool is_whole, BootTime time) override;
  void begin_reply(const ReplyHead& head, BootTime time) override;
  void take_reply(std::string_view bytes, BootTime time) override;
  void skip_reply(std::uint64_t size) override;
  void end(bool is_whole, BootTime time) override;

 private:
  void keep(std::string_view piece);
  void begin_call(const codec::LlmRequest& request);
  void read_request(bool is_whole);
  void announce(Observation::Kind kind, model::LlmCall call);

  Context context_;
  const Party& party_;
  codec::ApiRoute route_;
  BootTime begun_;
  model::LlmCall call_;
  bool request_ended_ = false;
  bool ended_ = false;
  bool request_partial_ = false;
  bool is_other_ = false;  // no model's after all
  DecodedBody request_body_;
  ByteCharge charge_;
  std::string body_;
  std::unique_ptr<ReplyReader> reply_;
};

}  // namespace aispm::sensor
