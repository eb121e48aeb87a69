// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/http_message.hpp"
#include "sensor/correlate/observation.hpp"
#include "sensor/correlate/party.hpp"

namespace aispm::sensor {

// What everything that reads streams shares.
class AgentServers;
struct Context {
  ByteBudget& budget;
  CorrelateCounters& counters;
  const ObservationSink& sink;
  AgentServers& agents;
  bool keep_text = false;
};

// One HTTP request and its reply, in the order their bytes come: take_request/skip_request*,
// end_request, begin_reply, take_reply/skip_reply*, end. A reply may begin before its request
// ended, and any part may be missing at the end. This base class is the exchange that says nothing
// about models or tools: its method is kept, so that the reply can be framed. Not thread-safe.
class Exchange {
 public:
  explicit Exchange(std::string_view method) : method_(method) {}
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const std::string& method() const { return method_; }

  // Something will be reported at the end.
  virtual bool is_pending() const { return false; }
  virtual void take_request(std::string_view) {}
  // `size` bytes of the body were lost.
  virtual void skip_request(std::uint64_t) {}
  // The request is complete, or was cut (`is_whole` false).
  virtual void end_request(bool, BootTime) {}
  virtual void begin_reply(const ReplyHead&, BootTime) {}
  virtual void take_reply(std::string_view, BootTime) {}
  virtual void skip_reply(std::uint64_t) {}
  // The reply is complete, or was cut or never came (`is_whole` false). Called once.
  virtual void end(bool, BootTime) {}

 private:
  std::string method_;
};

// The exchange that a request's head calls for. `party` must outlive it; `begun` is the time of the
// request's first byte.
std::unique_ptr<Exchange> make_exchange(const RequestHead& head, const Party& party, BootTime begun,
                                        Context context);

// Tells which host the party talks to, and with which words.
void announce_host(std::string_view host, ClientWords words, const Party& party, BootTime time,
                   const Context& context);

// "host", with ":port" when it is not 443 (LlmCall.host): lower case, cut at 253 bytes.
std::string host_text(std::string_view host);

// Microseconds between two times; 0 when they are in the wrong order.
std::uint64_t microseconds(BootTime from, BootTime to);

}  // namespace aispm::sensor
