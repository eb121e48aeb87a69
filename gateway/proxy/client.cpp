// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/client.hpp"

#include <array>
#include <charconv>

#include "gateway/proxy/arrived_body.hpp"
#include "sdk/core/codec/content_decoder.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

// Behind a refusal is read on while more comes: clients that only read when they have sent all
// would lose the refusal to a reset.
constexpr std::chrono::seconds kLinger{2};      // without a byte
constexpr std::chrono::seconds kMaxLinger{15};  // in all
constexpr std::size_t kMaxLingerBytes = 64U << 20;
constexpr std::size_t kLingerReadBytes = 64U << 10;
constexpr std::size_t kMaxIdleSpillBytes = 64U << 10;
constexpr std::size_t kChunkHeadBytes = 24;

// What a chunk of these bytes is made of; its head stands in `head`.
std::array<net::asio::const_buffer, 3> chunk_of(std::string_view bytes,
                                                std::array<char, kChunkHeadBytes>& head) {
  char* end = std::to_chars(head.data(), head.data() + head.size(), bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {net::asio::buffer(head.data(), static_cast<std::size_t>(end - head.data())),
          net::asio::buffer(bytes), net::asio::buffer("\r\n", 2)};
}

}  // namespace

Task<std::optional<Head>> Client::next_head() {
  const Limits& limits = worker_.services().config.limits;
  if (input_.empty()) {
    stream_->expire_after(limits.idle);
    const auto size = co_await stream_->read_some(input_.prepare(InputBuffer::kInitialBytes));
    if (!size || *size == 0)
      co_return std::nullopt;  // idle for too long, reset or closed: nobody waits for an answer
    input_.commit(*size);
  }
  stream_->expire_after(limits.request);
  // Nearly always all of it is here.
  AISPM_CO_TRY(std::optional<Head> head, parser_.parse(input_.view()));
  if (head) co_return std::move(head);
  co_return co_await read_head(*stream_, input_, parser_);
}

Task<std::string_view> Client::read_body(Head head, std::size_t limit_bytes) {
  input_.consume(head.size_bytes);
  if (head.body == codec::http1::BodyKind::kNone) {
    stream_->expire_never();
    co_return std::string_view{};
  }
  if (head.expects_continue && input_.empty() && head.content_length <= limit_bytes) {
    AISPM_CO_CHECK(co_await stream_->write("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  AISPM_CO_TRY(const WholeBody body,
               co_await read_whole_body(*stream_, input_, head.body, head.content_length,
                                        limit_bytes, spill_));
  unread_in_place_ = body.in_place_bytes;
  // The request is here to its last byte: the answer may take as long as the provider may.
  stream_->expire_never();
  co_return body.bytes;
}

Task<std::string_view> Client::read_decoded_body(Head head, std::size_t limit_bytes) {
  const std::string_view coding = head.content_encoding;
  const bool is_plain = coding.empty() || codec::http1::equal_name(coding, "identity");
  const auto known = is_plain ? std::nullopt : codec::find_coding(coding);
  if (!is_plain && !known)
    co_return fail(Errc::kUnsupported,
                   "the Content-Encoding must be one of gzip, deflate, br and zstd, once");
  if (is_plain) {
    const std::string_view behind = input_.view().substr(head.size_bytes);
    if (const auto here = arrived_body(behind, head.body, head.content_length, limit_bytes)) {
      input_.consume(head.size_bytes);
      unread_in_place_ = here->in_place_bytes;
      co_return here->bytes;
    }
  }
  // The coding's name does not outlive the head.
  auto sent = co_await read_body(head, limit_bytes);
  if (!sent || is_plain) co_return sent;
  codec::ContentDecoder decoder(
      *known, {.max_bytes = limit_bytes, .max_ratio = worker_.services().config.limits.body_ratio});
  decoded_.clear();
  const auto fed = decoder.feed(*sent, [this](std::string_view piece) { decoded_.append(piece); });
  if (!fed) co_return fail(fed.error().code, "the compressed body: " + fed.error().message);
  if (const auto ended = decoder.finish(); !ended)
    co_return fail(ended.error().code, "the compressed body: " + ended.error().message);
  if (decoder.trailing_bytes() > 0)
    co_return fail(Errc::kInvalid, "the compressed body: there is more behind its end");
  co_return std::string_view(decoded_);
}

void Client::finish_request() {
  input_.consume(std::exchange(unread_in_place_, 0));
  input_.relax();
  if (spill_.capacity() > kMaxIdleSpillBytes) std::string().swap(spill_);
  if (decoded_.capacity() > 0) std::string().swap(decoded_);
}

void Client::let_go_of_body() {
  input_.consume(std::exchange(unread_in_place_, 0));
  input_.relax(0);
  std::string().swap(spill_);
  std::string().swap(decoded_);
}

Task<> Client::send(std::string_view head, std::string_view body) {
  std::string with_lines;
  if (!reply_lines.empty() && head.starts_with("HTTP/1.1 ")) {
    const std::size_t first = head.find("\r\n") + 2;
    with_lines.append(head.substr(0, first)).append(reply_lines).append(head.substr(first));
    reply_lines.clear();
    head = with_lines;
  }
  std::array<net::asio::const_buffer, 2> buffers = {net::asio::buffer(head),
                                                    net::asio::buffer(body)};
  stream_->expire_after(worker_.services().config.limits.client_write);
  auto sent = co_await stream_->write(buffers);
  stream_->expire_never();  // a deadline is for a wait, and ends with it
  co_return sent;
}

Task<> Client::send_chunk(std::string_view bytes) {
  std::array<char, kChunkHeadBytes> head;
  auto buffers = chunk_of(bytes, head);
  stream_->expire_after(worker_.services().config.limits.client_write);
  auto sent = co_await stream_->write(buffers);
  stream_->expire_never();
  co_return sent;
}

Result<> Client::send_piece_now(std::string_view bytes, bool as_chunk, std::string& rest) {
  std::array<char, kChunkHeadBytes> head;
  auto buffers = chunk_of(bytes, head);
  std::span<net::asio::const_buffer> left(buffers);
  if (!as_chunk) left = left.subspan(1, 1);
  AISPM_TRY(const bool is_done, stream_->write_now(left));
  if (is_done) return {};
  for (const net::asio::const_buffer& buffer : left)
    rest.append(static_cast<const char*>(buffer.data()), buffer.size());
  return {};
}

Task<> Client::refuse(Dialect dialect, const Refusal& refusal, bool keep_alive, bool with_body) {
  const std::string reply = error_reply(dialect, refusal, keep_alive, with_body);
  if (stream_->timed_out()) {  // its request did not come: no more than a word is left
    stream_->say_last(reply);
    co_return Result<>{};
  }
  co_return co_await send(reply);
}

Task<bool> Client::refuse_unread(const Refusal& refusal) {
  AISPM_CO_CHECK(co_await refuse(Dialect::kOpenAi, refusal, false));
  (void)co_await linger();
  co_return false;
}

Task<> Client::linger() {
  stream_->shutdown_write();
  const auto until = net::Clock::now() + kMaxLinger;
  for (std::size_t total = 0; total < kMaxLingerBytes && net::Clock::now() < until;) {
    stream_->expire_after(kLinger);
    input_.consume(input_.size());
    AISPM_CO_TRY(const bool more, co_await read_more(*stream_, input_, kLingerReadBytes));
    if (!more) break;
    total += input_.size();
  }
  co_return Result<>{};
}

}  // namespace aispm::gateway
