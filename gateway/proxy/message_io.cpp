// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/message_io.hpp"

#include <algorithm>

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;
using net::Task;

namespace {

constexpr std::size_t kReadBytes = 4U << 10;
constexpr std::size_t kMaxReadBytes =
    256U << 10;  // asked for at once: memory follows what has come, not what was announced

}  // namespace

Task<bool> read_more(net::Stream& stream, InputBuffer& input, std::size_t least) {
  auto size = co_await stream.read_some(input.prepare(least));
  if (!size) co_return fail(std::move(size).error());
  input.commit(*size);
  co_return *size > 0;
}

Task<std::optional<Head>> read_head(net::Stream& stream, InputBuffer& input,
                                    codec::http1::HeadParser& parser,
                                    std::string_view request_method) {
  while (true) {
    if (!input.empty()) {
      AISPM_CO_TRY(std::optional<Head> head, parser.parse(input.view(), request_method));
      if (head) co_return std::move(head);
    }
    const std::size_t least = input.empty() ? InputBuffer::kInitialBytes : kReadBytes;
    // Not by read_more(): a coroutine less for what all exchanges wait for.
    AISPM_CO_TRY(const std::size_t size, co_await stream.read_some(input.prepare(least)));
    input.commit(size);
    if (size > 0) continue;
    if (input.empty()) co_return std::nullopt;
    co_return fail(Errc::kInvalid, "the connection ended within a message head");
  }
}

Task<WholeBody> read_whole_body(net::Stream& stream, InputBuffer& input, BodyKind kind,
                                std::uint64_t content_length, std::size_t limit_bytes,
                                std::string& spill) {
  if (kind == BodyKind::kNone) co_return WholeBody{};
  if (content_length > limit_bytes)
    co_return fail(Errc::kTooLarge, "body larger than " + std::to_string(limit_bytes) + " bytes");
  if (kind == BodyKind::kLength) {
    while (input.size() < content_length) {
      const std::size_t missing = content_length - input.size();
      AISPM_CO_TRY(const bool more,
                   co_await read_more(stream, input,
                                      std::min(missing, std::max(input.size(), kMaxReadBytes))));
      if (!more) co_return fail(Errc::kInvalid, "the connection ended within a body");
    }
    co_return WholeBody{input.view().substr(0, content_length), content_length};
  }
  spill.clear();
  codec::http1::BodyReader reader(kind, content_length);
  while (!reader.done()) {
    AISPM_CO_TRY(const auto slice, reader.next(input.view()));
    if (spill.size() + slice.data.size() > limit_bytes)
      co_return fail(Errc::kTooLarge, "body larger than " + std::to_string(limit_bytes) + " bytes");
    spill.append(slice.data);
    input.consume(slice.consumed);
    if (slice.consumed > 0) continue;
    AISPM_CO_TRY(const bool more, co_await read_more(stream, input, kReadBytes));
    if (more) continue;
    AISPM_CO_CHECK(reader.finish());
    break;
  }
  co_return WholeBody{spill, 0};
}

}  // namespace aispm::gateway
