// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "bpf/events.h"
#include "sdk/core/common/result.hpp"
#include "sensor/decode/decode.hpp"

// What the decoders of all kinds share. Internal to decode.
namespace aispm::sensor {

using Bytes = std::span<const std::byte>;

// Copies a T out of the front of `bytes`.
template <typename T>
Result<T> copy_front(Bytes bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() < sizeof(T)) return fail(Errc::kInvalid, "record is shorter than its kind");
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// A fixed-size record fills its announced size exactly.
template <typename T>
Result<T> copy_whole(Bytes bytes) {
  if (bytes.size() != sizeof(T)) return fail(Errc::kInvalid, "record has not the size of its kind");
  return copy_front<T>(bytes);
}

template <std::size_t Size>
std::string text_of(const char (&field)[Size]) {
  return {field, static_cast<std::size_t>(std::find(field, field + Size, '\0') - field)};
}

inline std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Actor decode_actor(const aispm_event_header& header);
Actor decode_actor(const aispm_event_header& header, const aispm_actor& who);
Result<Endpoints> decode_endpoints(const aispm_endpoints& socket);
// "true\0bin\0usr\0" -> "/usr/bin/true"; what was cut off near the root reads as "...".
std::string join_path(std::string_view names, bool is_cut);

// Agents' processes and files, and signals to the sensor (kinds 60-69).
Result<Record> decode_behaviour(const aispm_event_header& header, Bytes bytes);
// What rules did (kind 50).
Result<Record> decode_enforced(Bytes bytes);

// Names, wire bytes, plain sockets and stdio (kinds 30-49).
Result<Record> decode_net(const aispm_event_header& header, Bytes bytes);
Transport decode_transport(const aispm_endpoints& socket);

}  // namespace aispm::sensor
