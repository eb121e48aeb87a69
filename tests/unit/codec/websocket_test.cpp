// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/websocket.hpp"

#include <gmock/gmock.h>
#include <zlib.h>

namespace aispm::codec::websocket {
namespace {

using ::testing::ElementsAre;

// A frame as `sender` writes it.
std::string frame(Sender sender, unsigned first_byte, std::string_view payload) {
  std::string out(1, static_cast<char>(first_byte));
  const unsigned mask_bit = sender == Sender::kClient ? 0x80 : 0;
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(mask_bit | payload.size()));
  } else if (payload.size() < 65536) {
    out.push_back(static_cast<char>(mask_bit | 126));
    out.push_back(static_cast<char>(payload.size() >> 8));
    out.push_back(static_cast<char>(payload.size() & 0xFF));
  } else {
    out.push_back(static_cast<char>(mask_bit | 127));
    for (const int shift : {56, 48, 40, 32, 24, 16, 8, 0})
      out.push_back(static_cast<char>(payload.size() >> shift & 0xFF));
  }
  if (sender == Sender::kServer) return out + std::string(payload);
  const std::string mask = "\x11\x22\x33\x44";
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  return out;
}

// A sender's side of permessage-deflate, with or without context takeover.
class Deflater {
 public:
  explicit Deflater(bool takes_over) : takes_over_(takes_over) {
    deflateInit2(&stream_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&stream_); }

  std::string compress(std::string_view text) {
    std::string out(text.size() + 256, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    deflate(&stream_, Z_SYNC_FLUSH);
    out.resize(out.size() - stream_.avail_out);
    if (!takes_over_) deflateReset(&stream_);
    return out.substr(0, out.size() - 4);
  }

 private:
  z_stream stream_{};
  bool takes_over_;
};

struct Log {
  std::vector<std::string> lines;
  Reader::Sink sink() {
    return [this](const Message& message) {
      static constexpr const char* kKinds[] = {"text", "binary", "close", "ping", "pong"};
      std::string line =
          std::string(kKinds[static_cast<int>(message.kind)]) + " " + std::string(message.data);
      if (message.kind == Message::Kind::kClose) line += " " + std::to_string(message.close_code);
      if (!message.is_whole) line += " (broken)";
      lines.push_back(line);
    };
  }
};

Result<> feed(Reader& reader, Log& log, std::string_view bytes, std::size_t step) {
  while (!bytes.empty()) {
    AISPM_CHECK(reader.feed(bytes.substr(0, step), log.sink()));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return {};
}

TEST(WebSocketReader, ReadsMessagesOfBothSidesAtEveryStep) {
  for (const Sender sender : {Sender::kClient, Sender::kServer}) {
    const std::string stream =
        frame(sender, 0x81, "hello") + frame(sender, 0x01, "frag") +
        frame(sender, 0x89, "are you") + frame(sender, 0x00, "men") + frame(sender, 0x80, "ted") +
        frame(sender, 0x82, "\x01\x02") + frame(sender, 0x8A, "") +
        frame(sender, 0x81, std::string(300, 'x')) + frame(sender, 0x81, std::string(70000, 'y')) +
        frame(sender, 0x88,
              "\x03\xE8"
              "bye");
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, SIZE_MAX}) {
      Reader reader(sender, {});
      Log log;
      ASSERT_TRUE(feed(reader, log, stream, step).has_value());
      EXPECT_THAT(log.lines,
                  ElementsAre("text hello", "ping are you", "text fragmented", "binary \x01\x02",
                              "pong ", "text " + std::string(300, 'x'),
                              "text " + std::string(70000, 'y'), "close bye 1000"));
      EXPECT_EQ(reader.held_bytes(), 0U);
    }
  }
}

TEST(WebSocketReader, UndoesDeflateWithAndWithoutTakeover) {
  for (const bool takes_over : {true, false}) {
    Deflater deflater(takes_over);
    const std::string text = R"({"type":"response.output_text.delta","delta":"word"})";
    const std::string first = deflater.compress(text);
    const std::string second = deflater.compress(text);
    EXPECT_EQ(second.size() < first.size(), takes_over);
    const std::string stream =
        frame(Sender::kServer, 0xC1, first) + frame(Sender::kServer, 0x41, second.substr(0, 3)) +
        frame(Sender::kServer, 0x80, second.substr(3)) + frame(Sender::kServer, 0x81, "plain") +
        frame(Sender::kServer, 0xC1, deflater.compress(""));
    for (const std::size_t step : {std::size_t{1}, std::size_t{5}, SIZE_MAX}) {
      Reader reader(Sender::kServer, {.deflate = true, .server_no_context_takeover = !takes_over});
      Log log;
      ASSERT_TRUE(feed(reader, log, stream, step).has_value());
      EXPECT_THAT(log.lines, ElementsAre("text " + text, "text " + text, "text plain", "text "));
    }
  }
}

TEST(WebSocketReader, KeepsTheBeginningOfALongMessage) {
  Reader reader(Sender::kServer, {.deflate = true}, 100);
  Log log;
  Deflater deflater(true);
  ASSERT_TRUE(feed(reader, log,
                   frame(Sender::kServer, 0x81, std::string(101, 'a')) +
                       frame(Sender::kServer, 0xC1, deflater.compress(std::string(5000, 'b'))) +
                       frame(Sender::kServer, 0xC1, deflater.compress("next")),
                   SIZE_MAX)
                  .has_value());
  EXPECT_THAT(log.lines, ElementsAre("text " + std::string(100, 'a') + " (broken)",
                                     "text " + std::string(100, 'b') + " (broken)", "text next"));
  EXPECT_EQ(reader.broken_messages(), 2U);
}

TEST(WebSocketReader, GivesUpABombAndReadsOn) {
  Deflater deflater(true);
  Reader reader(Sender::kServer, {.deflate = true});
  Log log;
  const std::string bomb = deflater.compress(std::string(kMaxInflatedBytes + (1U << 20), 'a'));
  ASSERT_TRUE(feed(reader, log,
                   frame(Sender::kServer, 0xC1, bomb) + frame(Sender::kServer, 0x81, "plain"),
                   SIZE_MAX)
                  .has_value());
  ASSERT_EQ(log.lines.size(), 2U);
  EXPECT_EQ(log.lines[0].size(), 5 + kMaxMessageBytes + 9);
  EXPECT_EQ(log.lines[1], "text plain");
}

TEST(WebSocketReader, AHoleCostsItsMessage) {
  Reader reader(Sender::kClient, {});
  Log log;
  const std::string one = frame(Sender::kClient, 0x81, "0123456789");
  ASSERT_TRUE(reader.feed(one.substr(0, 9), log.sink()).has_value());
  EXPECT_TRUE(reader.skip(2));
  ASSERT_TRUE(
      reader.feed(one.substr(11) + frame(Sender::kClient, 0x81, "next"), log.sink()).has_value());
  EXPECT_THAT(log.lines, ElementsAre("text 01256789 (broken)", "text next"));
  EXPECT_FALSE(reader.skip(1));
  EXPECT_TRUE(reader.is_lost());
  EXPECT_FALSE(reader.feed("x", log.sink()).has_value());
}

TEST(WebSocketReader, AHoleInACompressedMessageCostsTheTakenOverOnes) {
  for (const bool takes_over : {true, false}) {
    Deflater deflater(takes_over);
    Reader reader(Sender::kServer, {.deflate = true, .server_no_context_takeover = !takes_over});
    Log log;
    const std::string one = frame(Sender::kServer, 0xC1, deflater.compress("first message"));
    ASSERT_TRUE(reader.feed(one.substr(0, 4), log.sink()).has_value());
    EXPECT_TRUE(reader.skip(3));
    ASSERT_TRUE(reader
                    .feed(one.substr(7) +
                              frame(Sender::kServer, 0xC1, deflater.compress("second message")) +
                              frame(Sender::kServer, 0x81, "plain"),
                          log.sink())
                    .has_value());
    ASSERT_EQ(log.lines.size(), 3U);
    EXPECT_EQ(log.lines[1], takes_over ? "text  (broken)" : "text second message");
    EXPECT_EQ(log.lines[2], "text plain");
  }
}

TEST(WebSocketReader, RefusesBrokenFraming) {
  const struct {
    const char* why;
    std::string bytes;
  } cases[] = {
      {"masked by the server", frame(Sender::kClient, 0x81, "x")},
      {"reserved bit", frame(Sender::kServer, 0x91, "x")},
      {"compressed without agreement", frame(Sender::kServer, 0xC1, "x")},
      {"reserved opcode", frame(Sender::kServer, 0x83, "x")},
      {"reserved control opcode", frame(Sender::kServer, 0x8B, "x")},
      {"fragmented ping", frame(Sender::kServer, 0x09, "x")},
      {"long ping", frame(Sender::kServer, 0x89, std::string(126, 'x'))},
      {"continuation of nothing", frame(Sender::kServer, 0x80, "x")},
      {"message in a message",
       frame(Sender::kServer, 0x01, "x") + frame(Sender::kServer, 0x81, "y")},
      {"half a close code", frame(Sender::kServer, 0x88, "x")},
      {"endless", std::string("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10)},
      {"text", "HTTP/1.1 200 OK"},
  };
  for (const auto& one : cases) {
    Reader reader(Sender::kServer, {});
    Log log;
    const auto result = feed(reader, log, one.bytes, 1);
    ASSERT_FALSE(result.has_value()) << one.why;
    EXPECT_EQ(result.error().code, Errc::kInvalid) << one.why;
    EXPECT_TRUE(reader.is_lost()) << one.why;
  }
  Reader reader(Sender::kClient, {});
  Log log;
  EXPECT_FALSE(reader.feed(frame(Sender::kServer, 0x81, "x"), log.sink()).has_value());
}

TEST(WebSocketExtensions, AreReadStrictly) {
  EXPECT_FALSE(read_extensions("").value().deflate);
  EXPECT_TRUE(read_extensions("permessage-deflate").value().deflate);
  const auto all =
      read_extensions("Permessage-Deflate; server_no_context_takeover; client_max_window_bits=12");
  EXPECT_TRUE(all->server_no_context_takeover);
  EXPECT_FALSE(all->client_no_context_takeover);
  EXPECT_EQ(read_extensions("x-webkit-deflate-frame").error().code, Errc::kUnsupported);
  EXPECT_EQ(read_extensions("permessage-deflate, permessage-deflate").error().code, Errc::kInvalid);
  EXPECT_EQ(read_extensions("permessage-deflate; odd").error().code, Errc::kInvalid);
  EXPECT_EQ(read_extensions("permessage-deflate; server_no_context_takeover; "
                            "server_no_context_takeover")
                .error()
                .code,
            Errc::kInvalid);
}

}  // namespace
}  // namespace aispm::codec::websocket
