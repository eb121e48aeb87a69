// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/connection.hpp"

#include <algorithm>
#include <utility>

#include "sensor/correlate/http1_reader.hpp"
#include "sensor/correlate/http2_reader.hpp"
#include "sensor/correlate/opening.hpp"
#include "sensor/correlate/stdio_reader.hpp"

namespace aispm::sensor {

Connection::Connection(Context context, const StreamChunk& first)
    : context_(context), last_activity_(first.time) {
  party_.actor = first.actor;
  party_.key = first.key;
  if (first.key.source != StreamSource::kStdio) return;
  party_.is_server = true;
  reader_ = std::make_unique<StdioReader>(party_, context_, first.from_start);
}

Sender Connection::sender_of(Direction direction) const {
  const bool is_actors = direction == Direction::kWrite;
  return is_actors == party_.is_server ? Sender::kServer : Sender::kClient;
}

void Connection::update_party(const StreamChunk& chunk) {
  last_activity_ = std::max(last_activity_, chunk.time);
  if (chunk.peer.pid != 0) party_.peer = chunk.peer;
  // The surest of what was said about the socket counts.
  if (!chunk.socket ||
      (party_.socket && chunk.attribution.confidence < party_.attribution.confidence))
    return;
  party_.socket = chunk.socket;
  party_.attribution = chunk.attribution;
}

void Connection::take(const StreamChunk& chunk) {
  update_party(chunk);
  if (is_ignored_ || chunk.bytes.empty()) return;
  const ByteOrder::Step step =
      (chunk.direction == Direction::kWrite ? writes_ : reads_).next(chunk);
  if (step.repeated > 0) context_.counters.note("stream.repeated_bytes", step.repeated);
  if (step.lost > 0) {
    context_.counters.lose("stream.gaps");
    context_.counters.lose("stream.gap_bytes", step.lost);
  }
  if (step.bytes.empty()) return;
  if (!reader_) {
    // A hole before anything was understood: from here on it is a stream joined midway.
    if (step.lost > 0) {
      joined_midway_ = true;
      opening_.clear();
    }
    return choose_reader(chunk.direction, step.bytes, chunk);
  }
  const Sender sender = sender_of(chunk.direction);
  if (step.lost > 0) reader_->skip(sender, step.lost, chunk.time);
  reader_->take(sender, step.bytes, chunk.time);
}

void Connection::choose_reader(Direction direction, std::string_view bytes,
                               const StreamChunk& chunk) {
  const bool from_start = chunk.from_start && !joined_midway_;
  // Bytes of the other direction end the wait for more of the first one's.
  if (direction != opening_direction_) opening_.clear();
  opening_direction_ = direction;
  const std::string held = std::exchange(opening_, {});
  const std::string start = held + std::string(bytes.substr(0, kMaxOpeningBytes));
  switch (from_start ? find_opening(start) : find_midway_opening(bytes)) {
    case Opening::kNeedMore:
      opening_ = start;  // shorter than kMaxOpeningBytes
      return;
    case Opening::kOther:
      return ignore(from_start);
    case Opening::kHttp2:
      reader_ = std::make_unique<Http2Reader>(party_, context_, true);
      break;
    case Opening::kHttp1:
      reader_ = std::make_unique<Http1Reader>(party_, context_);
      break;
  }
  party_.is_server = direction == Direction::kRead;
  if (!held.empty()) reader_->take(Sender::kClient, held, chunk.time);
  reader_->take(Sender::kClient, bytes, chunk.time);
}

// Seen from its start it is none of our business; joined midway it may have been, and may show what
// it is later.
void Connection::ignore(bool from_start) {
  if (from_start) {
    context_.counters.note("ignored.not_http");
    is_ignored_ = true;
  } else if (!std::exchange(counted_midway_, true)) {
    context_.counters.lose("ignored.joined_midway");
  }
}

void Connection::close(BootTime time) {
  if (reader_) reader_->close(time);
  is_ignored_ = true;
}

}  // namespace aispm::sensor
