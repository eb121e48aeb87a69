// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/event_builder.hpp"

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

}  // namespace aispm::sensor
