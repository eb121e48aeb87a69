// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

#include "sensor/decode/decode.hpp"

namespace aispm::sensor {
namespace {

template <typename T>
T make(std::uint16_t kind, std::size_t more = 0) {
  T event{};
  event.header.kind = kind;
  event.header.size = static_cast<std::uint32_t>(sizeof(T) + more);
  event.header.tgid = 42;
  event.header.start_boottime_ns = 7;
  event.header.boottime_ns = 5'000'000;
  return event;
}

template <typename T>
std::string bytes_of(const T& event, const std::string& more = "") {
  return std::string(reinterpret_cast<const char*>(&event), sizeof(event)) + more;
}

Result<Record> decode(const std::string& bytes) {
  return decode_record(std::as_bytes(std::span(bytes)));
}

aispm_endpoints v4() {
  aispm_endpoints socket{};
  socket.family = AISPM_FAMILY_INET;
  socket.source[0] = 127;
  socket.destination[0] = 10;
  socket.source_port = 4000;
  socket.destination_port = 443;
  socket.cookie = 99;
  return socket;
}

TEST(DecodeNet, NameBytes) {
  auto event = make<aispm_name_event>(AISPM_KIND_NAME_BYTES, 3);
  event.socket = v4();
  event.size = 3;
  event.what = AISPM_NAME_QUIC;
  event.direction = AISPM_TLS_WRITE;
  const auto record = decode(bytes_of(event, "abc"));
  ASSERT_TRUE(record) << record.error().message;
  const auto& name = std::get<NameBytes>(*record);
  EXPECT_EQ(name.kind, NameBytesKind::kQuic);
  EXPECT_EQ(name.bytes, "abc");
  EXPECT_EQ(name.socket.cookie, 99U);
  EXPECT_EQ(name.direction, Direction::kWrite);
  EXPECT_FALSE(decode(bytes_of(event, "ab")));
  event.what = AISPM_NAME_KINDS + 1;
  EXPECT_FALSE(decode(bytes_of(event, "abc")));
}

TEST(DecodeNet, SocketBytes) {
  auto event = make<aispm_socket_bytes_event>(AISPM_KIND_SOCKET_BYTES);
  event.socket = v4();
  event.sent_bytes = 10;
  event.received_bytes = 20;
  event.opened_boottime_ns = 2'000'000;
  event.flags = AISPM_SOCKET_FROM_START | AISPM_SOCKET_ACCEPTED;
  const auto record = decode(bytes_of(event));
  ASSERT_TRUE(record) << record.error().message;
  const auto& totals = std::get<SocketBytes>(*record);
  EXPECT_EQ(totals.sent_bytes, 10U);
  EXPECT_EQ(totals.received_bytes, 20U);
  EXPECT_EQ(totals.duration_us, 3000U);
  EXPECT_TRUE(totals.saw_from_start);
  EXPECT_TRUE(totals.is_accepted);
  EXPECT_FALSE(totals.is_open);
}

TEST(DecodeNet, StreamOfASocketAndOfStdio) {
  auto event = make<aispm_stream_event>(AISPM_KIND_STREAM_DATA, 2);
  event.socket = v4();
  event.id = 99;
  event.generation = 3;
  event.offset = 5;
  event.size = 2;
  event.source = AISPM_STREAM_SOCKET;
  event.flags = AISPM_STREAM_FROM_START;
  const auto record = decode(bytes_of(event, "hi"));
  ASSERT_TRUE(record) << record.error().message;
  const auto& chunk = std::get<StreamChunk>(*record);
  EXPECT_EQ(chunk.key.source, StreamSource::kPlainSocket);
  EXPECT_EQ(chunk.offset, 5U);
  EXPECT_TRUE(chunk.from_start);
  EXPECT_TRUE(chunk.socket.has_value());
  event.source = AISPM_STREAM_STDIO;
  event.socket = {};
  const auto stdio = decode(bytes_of(event, "hi"));
  ASSERT_TRUE(stdio);
  EXPECT_EQ(std::get<StreamChunk>(*stdio).key.source, StreamSource::kStdio);
  EXPECT_FALSE(std::get<StreamChunk>(*stdio).socket.has_value());
  event.source = 9;
  EXPECT_FALSE(decode(bytes_of(event, "hi")));
  event.source = AISPM_STREAM_STDIO;
  event.offset = UINT64_MAX;
  EXPECT_FALSE(decode(bytes_of(event, "hi")));
}

TEST(DecodeNet, StdioFound) {
  auto event = make<aispm_stdio_found_event>(AISPM_KIND_STDIO_FOUND);
  event.generation = 3;
  event.inode[0] = 11;
  event.peer_inode[0] = 12;
  event.kind[0] = AISPM_STDIO_SOCKET;
  event.kind[1] = AISPM_STDIO_PIPE;
  const auto record = decode(bytes_of(event));
  ASSERT_TRUE(record);
  const auto& found = std::get<StdioFound>(*record);
  EXPECT_TRUE(found.ends[0].is_socket);
  EXPECT_EQ(found.ends[0].peer_inode, 12U);
  EXPECT_FALSE(found.ends[1].is_socket);
  event.kind[1] = 0;
  EXPECT_FALSE(decode(bytes_of(event)));
}

TEST(DecodeNet, StreamClose) {
  auto event = make<aispm_stream_close_event>(AISPM_KIND_STREAM_CLOSE);
  event.id = 4;
  event.read_bytes = 8;
  event.source = AISPM_STREAM_SOCKET;
  const auto record = decode(bytes_of(event));
  ASSERT_TRUE(record);
  EXPECT_EQ(std::get<StreamClose>(*record).read_bytes, 8U);
}

TEST(DecodeNet, UdpIsTold) {
  auto event = make<aispm_listen_event>(AISPM_KIND_LISTEN);
  event.socket = v4();
  event.socket.protocol = 17;
  const auto record = decode(bytes_of(event));
  ASSERT_TRUE(record);
  EXPECT_EQ(std::get<Listen>(*record).transport, Transport::kUdp);
}

}  // namespace
}  // namespace aispm::sensor
