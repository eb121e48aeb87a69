// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/event_wire.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/report/convert.hpp"
#include "sdk/core/report/convert_parts.hpp"

namespace aispm::report {
namespace {

// https://protobuf.dev/programming-guides/encoding
enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kDelimited = 2 };

constexpr std::size_t kMaxVarintBytes = 10;
// What a message's length is given at first: nearly all are longer than 127 bytes and shorter than
// 16 KiB.
constexpr std::size_t kGuessedLengthBytes = 2;
constexpr std::size_t kMaxKeptMessageBytes = 16U << 10;

char* put_varint(std::uint64_t value, char* to) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

// Writes fields as proto3 does: what has its default is not there.
class Wire {
 public:
  explicit Wire(std::string& room) : room_(room) {}

  void text(int field, std::string_view value) {
    if (!value.empty()) put(field, value);
  }
  void texts(int field, const std::vector<std::string>& values) {
    for (const std::string& value : values) put(field, value);
  }
  void number(int field, std::uint64_t value) {
    if (value != 0) put_number(field, value);
  }
  void real(int field, double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits == 0) return;
    char* to = at(kMaxVarintBytes + sizeof bits);
    to = put_tag(field, kFixed64, to);
    for (int shift = 0; shift < 64; shift += 8) *to++ = static_cast<char>(bits >> shift);
    end(to);
  }
  // Also what has its default: a field with a presence of its own.
  void put_number(int field, std::uint64_t value) {
    char* to = at(2 * kMaxVarintBytes);
    end(put_varint(value, put_tag(field, kVarint, to)));
  }
  template <typename Fields>
  void message(int field, const Fields& fields) {
    end(put_tag(field, kDelimited, at(kMaxVarintBytes + kGuessedLengthBytes)) +
        kGuessedLengthBytes);
    const std::size_t start = size_;
    fields();
    set_length(start);
  }

  std::string_view written() const { return {room_.data(), size_}; }

 private:
  // Room for so many bytes behind what is written.
  char* at(std::size_t bytes) {
    if (room_.size() - size_ < bytes) room_.resize(std::max(2 * room_.size(), size_ + bytes));
    return room_.data() + size_;
  }
  void end(const char* to) { size_ = static_cast<std::size_t>(to - room_.data()); }

  static char* put_tag(int field, WireType type, char* to) {
    return put_varint(static_cast<std::uint32_t>(field) << 3 | type, to);
  }

  void put(int field, std::string_view value) {
    if (is_ascii(value)) return put_bytes(field, value);
    put_bytes(field, to_utf8(value));
  }
  void put_bytes(int field, std::string_view value) {
    char* to = at(2 * kMaxVarintBytes + value.size());
    to = put_varint(value.size(), put_tag(field, kDelimited, to));
    to = std::copy(value.begin(), value.end(), to);
    end(to);
  }

  // The message from `start` is complete: its length goes before it, in as many bytes as it needs.
  void set_length(std::size_t start) {
    const std::size_t size = size_ - start;
    std::array<char, kMaxVarintBytes> length;
    const auto needed = static_cast<std::size_t>(put_varint(size, length.data()) - length.data());
    if (needed != kGuessedLengthBytes) {
      (void)at(needed);
      char* const message = room_.data() + start;
      std::memmove(message - kGuessedLengthBytes + needed, message, size);
      size_ = size_ - kGuessedLengthBytes + needed;
    }
    std::memcpy(room_.data() + start - kGuessedLengthBytes, length.data(), needed);
  }

  std::string& room_;
  std::size_t size_ = 0;
};

void put_time(Wire& to, WallTime time) {
  const TimeParts parts = parts_of(time);
  to.message(v1::Event::kTimeFieldNumber, [&] {
    using Time = google::protobuf::Timestamp;
    to.number(Time::kSecondsFieldNumber, static_cast<std::uint64_t>(parts.seconds));
    to.number(Time::kNanosFieldNumber, static_cast<std::uint64_t>(parts.nanos));
  });
}

// What was said and by whom.
void put_texts(Wire& to, const model::LlmCall& call) {
  using Call = v1::LlmCall;
  to.text(Call::kProviderFieldNumber, call.provider);
  to.text(Call::kApiFieldNumber, call.api);
  to.text(Call::kHostFieldNumber, call.host);
  to.text(Call::kRequestModelFieldNumber, call.request_model);
  to.text(Call::kResponseModelFieldNumber, call.response_model);
  to.texts(Call::kToolsOfferedFieldNumber, call.tools_offered);
  to.texts(Call::kToolsCalledFieldNumber, call.tools_called);
  to.text(Call::kPromptSha256FieldNumber, call.prompt_sha256);
  to.text(Call::kReplySha256FieldNumber, call.reply_sha256);
  to.text(Call::kPromptTextFieldNumber, call.prompt_text);
  to.text(Call::kReplyTextFieldNumber, call.reply_text);
  to.text(Call::kFinishReasonFieldNumber, call.finish_reason);
  to.text(Call::kResponseIdFieldNumber, call.response_id);
  to.text(Call::kRouteFieldNumber, call.route);
  to.text(Call::kDestinationAddressFieldNumber, call.destination_address);
  to.text(Call::kAttributionFieldNumber, call.attribution);
  to.text(Call::kUpstreamFieldNumber, call.upstream);
  to.text(Call::kRouteNameFieldNumber, call.route_name);
  to.text(Call::kArmFieldNumber, call.arm);
  to.texts(Call::kFailedAttemptsFieldNumber, call.failed_attempts);
  to.text(Call::kShadowOfFieldNumber, call.shadow_of);
}

void put_numbers(Wire& to, const model::LlmCall& call) {
  using Call = v1::LlmCall;
  to.number(Call::kStreamFieldNumber, call.stream);
  to.number(Call::kStatusFieldNumber, call.status);
  to.number(Call::kInputTokensFieldNumber, call.input_tokens);
  to.number(Call::kOutputTokensFieldNumber, call.output_tokens);
  to.number(Call::kRequestBytesFieldNumber, call.request_bytes);
  to.number(Call::kResponseBytesFieldNumber, call.response_bytes);
  to.number(Call::kDurationUsFieldNumber, call.duration_us);
  to.number(Call::kFirstByteUsFieldNumber, call.first_byte_us);
  to.number(Call::kPartialFieldNumber, call.partial);
  to.number(Call::kDestinationPortFieldNumber, call.destination_port);
  to.real(Call::kAttributionConfidenceFieldNumber, call.attribution_confidence);
  to.number(Call::kTokensEstimatedFieldNumber, call.tokens_estimated);
  if (call.cost_nano_usd) to.put_number(Call::kCostNanoUsdFieldNumber, *call.cost_nano_usd);
  to.number(Call::kFallbackFieldNumber, call.fallback);
  to.number(Call::kCachedFieldNumber, call.cached);
}

void put_detection(Wire& to, const model::Detection& detection) {
  using Seen = v1::Detection;
  to.text(Seen::kRuleIdFieldNumber, detection.rule_id);
  to.text(Seen::kCategoryFieldNumber, detection.category);
  to.number(Seen::kSeverityFieldNumber, static_cast<std::uint64_t>(detection.severity));
  to.real(Seen::kConfidenceFieldNumber, detection.confidence);
  to.text(Seen::kSurfaceFieldNumber, detection.surface);
  to.number(Seen::kOffsetFieldNumber, detection.offset);
  to.number(Seen::kLengthFieldNumber, detection.length);
  to.text(Seen::kEvidenceFieldNumber, detection.evidence);
  to.text(Seen::kMessageFieldNumber, detection.message);
  to.texts(Seen::kTagsFieldNumber, detection.tags);
  to.texts(Seen::kFeaturesFieldNumber, detection.features);
}

void put_decision(Wire& to, const model::Decision& decision) {
  using Said = v1::Decision;
  to.number(Said::kOutcomeFieldNumber, static_cast<std::uint64_t>(decision.outcome));
  to.text(Said::kModeFieldNumber, decision.mode);
  to.text(Said::kRuleIdFieldNumber, decision.rule_id);
  to.text(Said::kReasonFieldNumber, decision.reason);
  to.text(Said::kPolicyVersionFieldNumber, decision.policy_version);
  to.text(Said::kCaseIdFieldNumber, decision.case_id);
}

void put_event(Wire& to, const model::Event& event, const model::LlmCall& call) {
  using Told = v1::Event;
  to.text(Told::kIdFieldNumber, event.id);
  put_time(to, event.time);
  to.text(Told::kTenantFieldNumber, event.tenant);
  to.text(Told::kHostIdFieldNumber, event.host_id);
  to.text(Told::kAgentIdFieldNumber, event.agent_id);
  to.text(Told::kSessionIdFieldNumber, event.session_id);
  to.text(Told::kTraceIdFieldNumber, event.trace_id);
  to.text(Told::kSpanIdFieldNumber, event.span_id);
  to.text(Told::kParentSpanIdFieldNumber, event.parent_span_id);
  to.number(Told::kSourceFieldNumber, static_cast<std::uint64_t>(event.source));
  to.message(Told::kLlmCallFieldNumber, [&] {
    put_texts(to, call);
    put_numbers(to, call);
  });
  for (const model::Detection& detection : event.detections)
    to.message(Told::kDetectionsFieldNumber, [&] { put_detection(to, detection); });
  if (event.decision)
    to.message(Told::kDecisionFieldNumber, [&] { put_decision(to, *event.decision); });
}

// A thread keeps the memory of its last message for the next one, but not that of a large one.
std::string_view write_by_protobuf(const model::Event& event, std::string& room) {
  thread_local v1::Event message;
  to_proto(event, message);
  const std::size_t size = message.ByteSizeLong();
  room.resize(std::max(room.size(), 2 * kMaxVarintBytes + size));
  char* to = put_varint(v1::EventBatch::kEventsFieldNumber << 3 | kDelimited, room.data());
  to = put_varint(size, to);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(to));
  if (size > kMaxKeptMessageBytes) v1::Event().Swap(&message);
  return {room.data(), static_cast<std::size_t>(to - room.data()) + size};
}

}  // namespace

std::string_view write_event(const model::Event& event, std::string& room) {
  const auto* const call = std::get_if<model::LlmCall>(&event.body);
  if (call == nullptr || event.process) return write_by_protobuf(event, room);
  Wire wire(room);
  wire.message(v1::EventBatch::kEventsFieldNumber, [&] { put_event(wire, event, *call); });
  return wire.written();
}

}  // namespace aispm::report
