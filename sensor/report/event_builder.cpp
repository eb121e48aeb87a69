// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/event_builder.hpp"

#include <cstring>
#include <string>

#include "sdk/core/common/utf8.hpp"

namespace aispm::sensor {

model::Event make_event(WallTime time, const model::Process& process) {
  model::Event event;
  event.time = time;
  event.source = model::Source::kSensor;
  event.process = process;
  return event;
}

namespace {

std::string name_of(Transport transport) { return transport == Transport::kUdp ? "udp" : "tcp"; }

}  // namespace

void cut_texts(model::LlmCall& call) {
  for (std::string* text : {&call.prompt_text, &call.reply_text})
    if (cut_utf8(*text, kMaxReportedTextBytes)) call.partial = true;
}

model::ProcessExit to_body(const Exit& exit) { return {exit.exit_code, exit.signal}; }

model::SocketListen to_body(const Listen& listen) {
  model::SocketListen body;
  body.address = listen.socket.source.host_text();
  body.port = listen.socket.source.port;
  body.protocol = name_of(listen.transport);
  return body;
}

model::SocketConnect to_body(const Connect& connect) {
  model::SocketConnect body;
  body.source_address = connect.socket.source.host_text();
  body.source_port = connect.socket.source.port;
  body.destination_address = connect.socket.destination.host_text();
  body.destination_port = connect.socket.destination.port;
  body.protocol = name_of(connect.transport);
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

model::SocketClose to_body(const SocketBytes& bytes) {
  model::SocketClose body;
  body.source_address = bytes.socket.source.host_text();
  body.source_port = bytes.socket.source.port;
  body.destination_address = bytes.socket.destination.host_text();
  body.destination_port = bytes.socket.destination.port;
  body.protocol = name_of(bytes.transport);
  body.bytes_sent = bytes.sent_bytes;
  body.bytes_received = bytes.received_bytes;
  body.duration_us = bytes.duration_us;
  body.is_open = bytes.is_open;
  return body;
}

model::NameSeen to_body(const SeenName& name) {
  model::NameSeen body;
  body.name = name.name;
  body.source = name_of(name.source);
  for (const Address& address : name.addresses) body.addresses.push_back(address.host_text());
  body.protocol = name.alpn.empty() ? name_of(name.transport) : name.alpn;
  body.encrypted_hello = name.encrypted_hello;
  body.doh = name.is_doh;
  return body;
}

model::Tamper to_body(const SignalToUs& signal) {
  const char* const name = ::sigabbrev_np(static_cast<int>(signal.signal));
  return {"signal", "aispm-sensord",
          "SIG" + std::string(name != nullptr ? name : std::to_string(signal.signal))};
}

}  // namespace aispm::sensor
