// SPDX-License-Identifier: Apache-2.0
// One plain HTTP request to a further host, and its reply.
#include <cstdio>

#include "gateway/proxy/egress/egress_state.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;
using net::Task;

namespace {

Task<> fail_client(Client& client, const HostPort& host, int status, std::string reason) {
  const std::string reply = egress_refusal(status, host, reason, false);
  AISPM_CO_CHECK(co_await client.send(reply));
  co_return co_await client.linger();
}

// The reply's body as it comes, framed anew: chunked for HTTP/1.1 where its length is unknown.
Task<> carry_body(Egress& egress, InputBuffer& input, const Head& head, bool is_chunked) {
  codec::http1::BodyReader reader(head);
  while (!reader.done()) {
    if (input.empty()) {
      AISPM_CO_TRY(const bool more, co_await read_more(*egress.upstream, input, 16U << 10));
      if (!more) {
        AISPM_CO_CHECK(reader.finish());
        break;
      }
    }
    AISPM_CO_TRY(const auto slice, reader.next(input.view()));
    if (!slice.data.empty()) {
      if (!egress.count(egress.received_bytes, slice.data.size()))
        co_return fail(Errc::kTooLarge, egress.ended_by);
      egress.touch();
      AISPM_CO_CHECK(is_chunked ? co_await egress.client.send_chunk(slice.data)
                                : co_await egress.client.stream().write(slice.data));
    }
    input.consume(slice.consumed);
  }
  if (is_chunked) AISPM_CO_CHECK(co_await egress.client.stream().write("0\r\n\r\n"));
  co_return Result<>{};
}

// Reads the reply's head past interim ones.
Task<std::optional<Head>> read_final_head(Egress& egress, InputBuffer& input,
                                          codec::http1::HeadParser& parser,
                                          const std::string& method) {
  constexpr int kMaxInterim = 8;
  for (int i = 0; i < kMaxInterim; ++i) {
    AISPM_CO_TRY(std::optional<Head> head,
                 co_await read_head(*egress.upstream, input, parser, method));
    if (!head || !head->is_interim) co_return std::move(head);
    input.consume(head->size_bytes);
  }
  co_return fail(Errc::kInvalid, "too many interim replies");
}

Task<> carry_reply(Egress& egress, std::string method, bool can_chunk) {
  InputBuffer input;
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kReply);
  auto found = co_await read_final_head(egress, input, parser, method);
  if (!found || !*found || (*found)->body == BodyKind::kTunnel) {
    const std::string why = !found ? found.error().message : "it gave no reply";
    co_return co_await fail_client(egress.client, egress.host, 502, why);
  }
  const Head& head = **found;
  std::string text = reply_head(head);
  const bool is_chunked =
      can_chunk && (head.body == BodyKind::kChunked || head.body == BodyKind::kUntilClose);
  if (is_chunked) text += "Transfer-Encoding: chunked\r\n";
  if (head.declared_length && !is_chunked)
    text += "Content-Length: " + std::to_string(*head.declared_length) + "\r\n";
  egress.received_bytes += head.size_bytes;
  const BodyKind kind = head.body;
  const std::uint64_t length = head.content_length;
  text += "\r\n";
  AISPM_CO_CHECK(co_await egress.client.send(text));
  input.consume(head.size_bytes);
  Head framing;
  framing.body = kind;
  framing.content_length = length;
  // A body that is cut leaves the agent a cut one, too.
  auto carried = co_await carry_body(egress, input, framing, is_chunked);
  if (!carried) egress.abort();
  co_return carried;
}

}  // namespace

Task<> carry_request(Egress& egress, const Head& head) {
  Client& client = egress.client;
  std::string text = forward_head(head, egress.host);
  const std::string method(head.method);
  const bool can_chunk = head.minor_version >= 1;
  const bool has_body = head.body != BodyKind::kNone || head.declared_length.has_value();
  auto body = co_await client.read_body(head, client.worker().services().config.limits.body_bytes);
  if (!body)
    co_return co_await fail_client(client, egress.host,
                                   body.error().code == Errc::kTooLarge ? 413 : 400,
                                   body.error().message);
  if (has_body) text += "Content-Length: " + std::to_string(body->size()) + "\r\n";
  text += "\r\n";
  if (!egress.count(egress.sent_bytes, text.size() + body->size())) co_return Result<>{};
  egress.touch();
  std::array<net::asio::const_buffer, 2> buffers = {net::asio::buffer(text),
                                                    net::asio::buffer(*body)};
  if (auto sent = co_await egress.upstream->write(buffers); !sent)
    co_return co_await fail_client(client, egress.host, 502, sent.error().message);
  client.finish_request();
  co_return co_await carry_reply(egress, method, can_chunk);
}

}  // namespace aispm::gateway
