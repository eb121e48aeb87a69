// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/provider.hpp"

namespace aispm::gateway {

// One connection to a provider, used for one request at a time.
struct Upstream {
  explicit Upstream(std::unique_ptr<net::Stream> connected)
      : stream(std::move(connected)), parser(codec::http1::HeadParser::Role::kReply) {}

  std::unique_ptr<net::Stream> stream;
  InputBuffer input;
  codec::http1::HeadParser parser;
  bool reused = false;
};

// Idle connections of one thread to one provider, the warmest first.
class UpstreamPool {
 public:
  static constexpr std::size_t kMaxIdle = 64;
  static constexpr std::chrono::seconds kIdleLimit{
      30};  // providers close idle connections after about a minute

  // A connection on which nothing has happened since it was put back; null when there is none.
  std::unique_ptr<Upstream> take();
  void put(std::unique_ptr<Upstream> upstream);
  void clear() { idle_.clear(); }
  // Nothing is kept from now on.
  void close() {
    closed_ = true;
    clear();
  }

 private:
  std::vector<std::unique_ptr<Upstream>> idle_;
  bool closed_ = false;
};

// A request on its way out: what is sent again when a kept connection turns out to be dead.
struct UpstreamRequest {
  std::string_view head;
  std::string_view body;
  std::string_view method;
  // Whether a kept connection that turns out to be dead lets it be sent again on a new one. Not
  // what must not be done twice: who closed it may have done it.
  bool may_repeat = true;
  // Looked at before anything is sent: whoever wants this has been told to stop. May be null.
  // (Nothing here may have a destructor: GCC 12 runs those of a co_await's temporaries twice.)
  const bool* is_over = nullptr;
  // Set once there was a connection to send it over. May be null.
  bool* was_sent = nullptr;
};

struct UpstreamReply {
  std::unique_ptr<Upstream> upstream;
  codec::http1::Head head;  // views into upstream->input
};

// Sends the request over a kept or new connection and reads the reply's head (interim ones are
// skipped). `connect` bounds connecting, `silence` each wait for the provider. kUnavailable also
// where the request `is_over`.
struct UpstreamLimits {
  std::chrono::milliseconds connect;
  std::chrono::milliseconds silence;
};
net::Task<UpstreamReply> ask_upstream(net::asio::io_context& context, net::Watchdog& watchdog,
                                      const Provider& provider, UpstreamPool& pool,
                                      UpstreamRequest request, UpstreamLimits limits,
                                      net::Stream** in_flight);

}  // namespace aispm::gateway
