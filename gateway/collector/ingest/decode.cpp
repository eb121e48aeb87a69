// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "gateway/collector/ingest/validate.hpp"
#include "gateway/collector/limits.hpp"

namespace aispm::collector {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

CodedInputStream stream_over(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

// The bytes of a length-delimited field, as a view into `whole`.
bool read_view(CodedInputStream& input, std::string_view whole, std::string_view& view) {
  std::uint32_t size = 0;
  if (!input.ReadVarint32(&size)) return false;
  const auto at = static_cast<std::size_t>(input.CurrentPosition());
  if (size > whole.size() - at) return false;
  view = whole.substr(at, size);
  return input.Skip(static_cast<int>(size));
}

constexpr std::uint32_t tag_of(int field, WireFormatLite::WireType type) {
  return static_cast<std::uint32_t>(field) << 3 | static_cast<std::uint32_t>(type);
}

Result<RawBatch> decode_batch(std::string_view bytes) {
  constexpr auto kSequence =
      tag_of(pb::EventBatch::kSequenceFieldNumber, WireFormatLite::WIRETYPE_VARINT);
  constexpr auto kEvents =
      tag_of(pb::EventBatch::kEventsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  constexpr auto kLost =
      tag_of(pb::EventBatch::kLostBeforeFieldNumber, WireFormatLite::WIRETYPE_VARINT);
  RawBatch batch;
  CodedInputStream input = stream_over(bytes);
  while (const std::uint32_t tag = input.ReadTag()) {
    bool is_good = true;
    if (tag == kSequence) {
      is_good = input.ReadVarint64(&batch.sequence);
    } else if (tag == kLost) {
      is_good = input.ReadVarint64(&batch.lost_before);
    } else if (tag == kEvents) {
      if (batch.events.size() == limits::kMaxBatchEvents)
        return fail(Errc::kInvalid,
                    "batch: more than " + std::to_string(limits::kMaxBatchEvents) + " events");
      is_good = read_view(input, bytes, batch.events.emplace_back());
    } else {
      is_good = WireFormatLite::SkipField(&input, tag);
    }
    if (!is_good) return fail(Errc::kInvalid, "batch: malformed protobuf");
  }
  if (!input.ConsumedEntireMessage()) return fail(Errc::kInvalid, "batch: malformed protobuf");
  if (batch.sequence == 0 || batch.sequence > INT64_MAX)
    return fail(Errc::kInvalid, "batch: sequence numbers start at 1");
  return batch;
}

}  // namespace

Result<std::variant<pb::Hello, RawBatch>> decode_report(std::string_view bytes) {
  if (bytes.size() > limits::kMaxMessageBytes)
    return fail(Errc::kTooLarge, "report: message too large");
  constexpr auto kHello =
      tag_of(pb::ReportRequest::kHelloFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  constexpr auto kBatch =
      tag_of(pb::ReportRequest::kBatchFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  CodedInputStream input = stream_over(bytes);
  std::uint32_t which = 0;
  std::string_view message;
  while (const std::uint32_t tag = input.ReadTag()) {
    if (tag == kHello || tag == kBatch) {
      which = tag;
      if (!read_view(input, bytes, message))
        return fail(Errc::kInvalid, "report: malformed protobuf");
    } else if (!WireFormatLite::SkipField(&input, tag)) {
      return fail(Errc::kInvalid, "report: malformed protobuf");
    }
  }
  if (!input.ConsumedEntireMessage()) return fail(Errc::kInvalid, "report: malformed protobuf");
  if (which == kBatch) {
    AISPM_TRY(RawBatch batch, decode_batch(message));
    return batch;
  }
  pb::Hello hello;
  if (which != kHello || !hello.ParseFromArray(message.data(), static_cast<int>(message.size())))
    return fail(Errc::kInvalid, "report: neither hello nor batch");
  return hello;
}

}  // namespace aispm::collector
