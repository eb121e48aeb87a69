// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"

// Records as events: the sensor's words in the product's vocabulary. Pure.
namespace aispm::sensor {

// An event of source SENSOR with its time and process, and no body yet.
model::Event make_event(WallTime time, const model::Process& process);

// Of one prompt or reply in an event, as the gateway's limit: the collector refuses an event with
// more than 512 KiB of either or 1 MiB in all.
inline constexpr std::size_t kMaxReportedTextBytes = 256U << 10;
// Cuts both to that; the call is partial then.
void cut_texts(model::LlmCall& call);

model::ProcessExit to_body(const Exit& exit);
model::SocketListen to_body(const Listen& listen);
model::SocketConnect to_body(const Connect& connect);
model::SocketConnect to_body(const RawSocket& socket);  // protocol "raw" or "packet"
model::SocketClose to_body(const SocketBytes& bytes);
model::NameSeen to_body(const SeenName& name);
model::Tamper to_body(const SignalToUs& signal);

}  // namespace aispm::sensor
