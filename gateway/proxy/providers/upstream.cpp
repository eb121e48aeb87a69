// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/upstream.hpp"

#include <array>

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

std::unique_ptr<Upstream> UpstreamPool::take() {
  while (!idle_.empty()) {
    std::unique_ptr<Upstream> upstream = std::move(idle_.back());
    idle_.pop_back();
    if (!upstream->stream->is_quiet()) continue;
    upstream->reused = true;
    return upstream;
  }
  return nullptr;
}

void UpstreamPool::put(std::unique_ptr<Upstream> upstream) {
  if (closed_ || !upstream->input.empty())
    return;  // said more than it was asked: not to be trusted with another request
  upstream->input.relax();
  upstream->stream->expire_after(kIdleLimit);
  if (idle_.size() >= kMaxIdle) idle_.erase(idle_.begin());
  idle_.push_back(std::move(upstream));
}

namespace {

// Who closes a kept connection while a request is on its way says so within a round trip. Later
// than this it had the request and worked on it: asked once more it would do, and bill, it twice.
constexpr std::chrono::milliseconds kStaleWithin{500};

Task<Head> exchange(Upstream& upstream, UpstreamRequest request,
                    std::chrono::milliseconds silence) {
  std::array<net::asio::const_buffer, 2> buffers = {net::asio::buffer(request.head),
                                                    net::asio::buffer(request.body)};
  upstream.stream->expire_after(silence);
  AISPM_CO_CHECK(co_await upstream.stream->write(buffers));
  while (true) {
    AISPM_CO_TRY(std::optional<Head> head, co_await read_head(*upstream.stream, upstream.input,
                                                              upstream.parser, request.method));
    if (!head) co_return fail(Errc::kUnavailable, "closed the connection without an answer");
    // Never asked for; a client, or a proxy before it, would take what follows for its tunnel.
    if (head->body == codec::http1::BodyKind::kTunnel)
      co_return fail(Errc::kInvalid, "changed the protocol though not asked to");
    if (!head->is_interim) co_return *head;
    upstream.input.consume(head->size_bytes);
  }
}

}  // namespace

Task<UpstreamReply> ask_upstream(net::asio::io_context& context, net::Watchdog& watchdog,
                                 const Provider& provider, UpstreamPool& pool,
                                 UpstreamRequest request, UpstreamLimits limits,
                                 net::Stream** in_flight) {
  std::unique_ptr<Upstream> upstream = pool.take();
  while (true) {
    if (!upstream) {
      AISPM_CO_TRY(std::unique_ptr<net::Stream> stream,
                   co_await net::dial(context, watchdog, provider.origin(), provider.tls(),
                                      {.allow_private = provider.config().allow_private,
                                       .deadline = limits.connect}));
      upstream = std::make_unique<Upstream>(std::move(stream));
    }
    // While it was dialled nothing was in flight that could have been cut.
    if (request.is_over != nullptr && *request.is_over)
      co_return fail(Errc::kUnavailable, "the request was given up before it was sent");
    if (request.was_sent != nullptr) *request.was_sent = true;
    *in_flight = upstream->stream.get();
    const auto sent_at = net::Clock::now();
    auto head = co_await exchange(*upstream, request, limits.silence);
    *in_flight = nullptr;
    if (head) co_return UpstreamReply{std::move(upstream), *head};
    // A kept connection may have been closed just as it was taken: nothing was answered, so it is
    // asked once more on a new one.
    const bool stale =
        upstream->reused && upstream->input.empty() && head.error().code == Errc::kUnavailable;
    if (stale && !request.may_repeat)
      co_return fail(
          Errc::kUnavailable,
          "closed the connection without an answer: it is not known whether it was done");
    if (!stale || net::Clock::now() - sent_at >= kStaleWithin)
      co_return fail(std::move(head).error());
    upstream.reset();
  }
}

}  // namespace aispm::gateway
