// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>

#include "gateway/collector/ingest/validate.hpp"
#include "gateway/collector/limits.hpp"

using namespace aispm::collector;

namespace {

// What validation promises to the store.
void check(const IncomingEvent& incoming, const Producer& producer) {
  const pb::Event& event = *incoming.event;
  const bool is_kept =
      event.host_id() == producer.host_id && event.tenant() == producer.tenant &&
      event.body_case() != pb::Event::BODY_NOT_SET && incoming.time.nanoseconds > 0 &&
      format_uuid({incoming.id.data(), incoming.id.size()}) == event.id() &&
      event.source() == pb::SOURCE_SENSOR && event.agent_id().size() <= limits::kMaxNameBytes;
  pb::Event body;
  if (!is_kept || !body.ParseFromString(incoming.body) || !body.host_id().empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool is_silent = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)is_silent;
  static const auto producer =
      std::make_shared<const Producer>(Producer{"default", "host", "sensord", {}});
  const auto message = decode_report({reinterpret_cast<const char*>(data), size});
  if (!message) return 0;
  if (const auto* const hello = std::get_if<pb::Hello>(&*message)) {
    (void)check_hello(*hello).has_value();
    return 0;
  }
  const RawBatch& raw = std::get<RawBatch>(*message);
  const AcceptedBatch batch = accept_batch(raw, producer);
  if (batch.delivery->events.size() + batch.delivery->rejected != raw.events.size()) std::abort();
  for (const IncomingEvent& event : batch.delivery->events) check(event, *producer);
  return 0;
}
