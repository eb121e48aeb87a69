// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/event_builder.hpp"

#include <cstring>
#include <string>

namespace aispm::sensor {

model::Event make_event(WallTime time, const model::Process& process) {
  model::Event event;
  event.time = time;
  event.source = model::Source::kSensor;
  event.process = process;
  return event;
}

model::ProcessExit to_body(const Exit& exit) { return {exit.exit_code, exit.signal}; }

model::SocketListen to_body(const Listen& listen) {
  model::SocketListen body;
  body.address = listen.socket.source.host_text();
  body.port = listen.socket.source.port;
  return body;
}

model::SocketConnect to_body(const Connect& connect) {
  model::SocketConnect body;
  body.source_address = connect.socket.source.host_text();
  body.source_port = connect.socket.source.port;
  body.destination_address = connect.socket.destination.host_text();
  body.destination_port = connect.socket.destination.port;
  switch (connect.outcome) {
    case ConnectOutcome::kEstablished:
      body.outcome = "established";
      break;
    case ConnectOutcome::kFailed:
      body.outcome = "failed";
      break;
    case ConnectOutcome::kPending:
      body.outcome = "pending";
      break;
  }
  return body;
}

model::SocketConnect to_body(const RawSocket& socket) {
  constexpr std::uint32_t kPacketFamily = 17;  // AF_PACKET
  model::SocketConnect body;
  body.protocol = socket.family == kPacketFamily ? "packet" : "raw";
  body.outcome = "pending";
  return body;
}

model::Tamper to_body(const SignalToUs& signal) {
  const char* const name = ::sigabbrev_np(static_cast<int>(signal.signal));
  return {"signal", "aispm-sensord",
          "SIG" + std::string(name != nullptr ? name : std::to_string(signal.signal))};
}

}  // namespace aispm::sensor
