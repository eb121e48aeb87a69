// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/http1.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/observation.hpp"
#include "sensor/correlate/reply_reader.hpp"

namespace aispm::sensor {

// One request and its reply. For requests to anything but a language model only the method is kept,
// so that the reply can be framed.
class Exchange {
 public:
  struct Context {
    ByteBudget& budget;
    CorrelateCounters& counters;
    const ObservationSink& sink;
    bool keep_text;
  };

  Exchange(const codec::http1::Head& head, const TlsChunk& first, BootTime begun, Context context);

  const std::string& method() const { return method_; }
  bool is_llm() const { return api_.has_value(); }

  // Tells which host the connection talks to.
  void announce_host();
  void take_request(std::string_view bytes);
  void skip_request(std::uint64_t size);
  // Announces the request. `is_whole` false: it was cut.
  void end_request(bool is_whole);

  void begin_reply(const codec::http1::Head& head, BootTime time);
  void take_reply(std::string_view bytes, BootTime time);
  void skip_reply(std::uint64_t size);
  // Announces the call. `is_whole` false: the reply was cut or never came.
  void end(bool is_whole, BootTime time);

 private:
  void read_request(bool is_whole);
  void announce(Observation::Kind kind, model::LlmCall call);

  Context context_;
  std::string method_;
  std::optional<codec::Api> api_;
  Observation seen_;
  bool request_ended_ = false;
  bool ended_ = false;
  bool request_partial_ = false;
  std::optional<DecodedBody> request_body_;
  ByteCharge charge_;
  std::string body_;
  std::unique_ptr<ReplyReader> reply_;
};

}  // namespace aispm::sensor
