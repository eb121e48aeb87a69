// SPDX-License-Identifier: Apache-2.0
// Conversations of two nghttp2 sessions (Huffman coding, padding, flow control, continuations,
// dynamic tables), overheard whole, in pieces, midway and with holes.
#include <gmock/gmock.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <random>

#include "sdk/core/codec/http2.hpp"
#include "tests/unit/codec/http2_wire.hpp"

namespace aispm::codec::http2 {
namespace {

using testing_support::Fields;

constexpr int kRequests = 12;

std::string body_of(std::int32_t stream, std::string_view who, std::size_t size) {
  std::string body = std::string(who) + std::to_string(stream) + ":";
  while (body.size() < size) body += std::to_string(body.size()) + ",";
  return body;
}

std::vector<nghttp2_nv> as_nv(const Fields& fields) {
  std::vector<nghttp2_nv> list;
  for (const auto& [name, value] : fields)
    list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE});
  return list;
}

// One end of the conversation.
class Peer {
 public:
  Peer(bool is_server, std::mt19937& random) : random_(random) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, select_padding);
    if (is_server) {
      nghttp2_session_server_new(&session_, callbacks, this);
    } else {
      nghttp2_session_client_new(&session_, callbacks, this);
    }
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3000},
                                               {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 8192}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { nghttp2_session_del(session_); }

  void ask(int number) {
    Fields fields = testing_support::ask("/v1/thing/" + std::to_string(number % 4));
    fields.push_back({"x-number", std::to_string(number)});
    // Long enough to need a continuation.
    if (number == 5) fields.push_back({"x-long", std::string(40000, '~')});
    const std::vector<nghttp2_nv> list = as_nv(fields);
    const nghttp2_data_provider data = provider();
    const std::int32_t stream =
        nghttp2_submit_request(session_, nullptr, list.data(), list.size(), &data, nullptr);
    sent[stream] = fields;
    bodies[stream] = body_of(stream, "ask", static_cast<std::size_t>(number) * 700);
    left_[stream] = bodies[stream];
  }

  // The next bytes to send, empty when there are none now.
  std::string take() {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    return size <= 0
               ? std::string()
               : std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  void give(std::string_view bytes) {
    ASSERT_EQ(nghttp2_session_mem_recv(
                  session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }

  std::map<std::int32_t, Fields> sent;
  std::map<std::int32_t, std::string> bodies;

 private:
  static nghttp2_data_provider provider() {
    nghttp2_data_provider data{};
    data.read_callback = [](nghttp2_session*, std::int32_t stream, std::uint8_t* out,
                            std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                            void* self) -> ssize_t {
      auto& left = static_cast<Peer*>(self)->left_[stream];
      const std::size_t taken = std::min<std::size_t>({size, left.size(), 900});
      std::copy_n(left.begin(), taken, reinterpret_cast<char*>(out));
      left.erase(0, taken);
      if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(taken);
    };
    return data;
  }

  static ssize_t select_padding(nghttp2_session*, const nghttp2_frame* frame, std::size_t limit,
                                void* self) {
    const std::size_t wanted = frame->hd.length + static_cast<Peer*>(self)->random_() % 20;
    return static_cast<ssize_t>(std::min(limit, wanted));
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* self) {
    Peer& peer = *static_cast<Peer*>(self);
    const bool is_request = nghttp2_session_check_server_session(session) != 0 &&
                            (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!is_request) return 0;
    const std::int32_t stream = frame->hd.stream_id;
    Fields fields = testing_support::answer();
    fields.push_back({"x-stream", std::to_string(stream)});
    const std::vector<nghttp2_nv> list = as_nv(fields);
    const nghttp2_data_provider data = provider();
    peer.sent[stream] = fields;
    peer.bodies[stream] = body_of(stream, "reply", static_cast<std::size_t>(stream) * 400);
    peer.left_[stream] = peer.bodies[stream];
    return nghttp2_submit_response(session, stream, list.data(), list.size(), &data);
  }

  nghttp2_session* session_ = nullptr;
  std::mt19937& random_;
  std::map<std::int32_t, std::string> left_;
};

struct Talk {
  std::vector<std::pair<Side, std::string>> pieces;  // frame by frame, as sent
  std::map<std::int32_t, Fields> sent[2];
  std::map<std::int32_t, std::string> bodies[2];
};

Talk talk(unsigned seed) {
  std::mt19937 random(seed);
  Peer client(false, random);
  Peer server(true, random);
  Talk result;
  int asked = 0;
  for (bool is_busy = true; is_busy;) {
    is_busy = false;
    if (asked < kRequests) {
      client.ask(asked++);
      is_busy = true;
    }
    for (int i = 0; i < 5; ++i) {
      if (std::string bytes = client.take(); !bytes.empty()) {
        server.give(bytes);
        result.pieces.emplace_back(Side::kClient, std::move(bytes));
        is_busy = true;
      }
      if (std::string bytes = server.take(); !bytes.empty()) {
        client.give(bytes);
        result.pieces.emplace_back(Side::kServer, std::move(bytes));
        is_busy = true;
      }
    }
  }
  result.sent[0] = client.sent;
  result.sent[1] = server.sent;
  result.bodies[0] = client.bodies;
  result.bodies[1] = server.bodies;
  return result;
}

struct Overheard {
  std::map<std::int32_t, Head> heads[2];
  std::map<std::int32_t, std::string> bodies[2];
  std::map<std::int32_t, std::uint64_t> gaps[2];
  std::map<std::int32_t, bool> ended[2];

  Observer::Sink sink() {
    return [this](const Event& event) {
      const auto side = static_cast<std::size_t>(event.from);
      const auto stream = static_cast<std::int32_t>(event.stream);
      if (event.kind == Event::Kind::kHead) heads[side][stream] = *event.head;
      if (event.kind == Event::Kind::kData) bodies[side][stream] += event.data;
      if (event.kind == Event::Kind::kGap) gaps[side][stream] += event.lost_bytes;
      if (event.kind == Event::Kind::kEnd) ended[side][stream] = true;
    };
  }
};

TEST(Http2Peers, AreOverheardWhole) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const Talk spoken = talk(seed);
    std::mt19937 random(seed);
    Observer observer(true);
    Overheard heard;
    for (const auto& [side, bytes] : spoken.pieces) {
      std::string_view rest = bytes;
      while (!rest.empty()) {
        const std::size_t step = 1 + random() % 2000;
        ASSERT_TRUE(observer.feed(side, rest.substr(0, step), heard.sink()).has_value());
        rest.remove_prefix(std::min(step, rest.size()));
      }
    }
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      ASSERT_EQ(heard.heads[side].size(), static_cast<std::size_t>(kRequests));
      for (const auto& [stream, fields] : spoken.sent[side]) {
        const Head& head = heard.heads[side].at(stream);
        EXPECT_TRUE(head.is_complete);
        ASSERT_EQ(head.fields.size(), fields.size());
        for (std::size_t i = 0; i < fields.size(); ++i) {
          EXPECT_EQ(head.fields[i].name, fields[i].first);
          EXPECT_EQ(head.fields[i].value, fields[i].second);
        }
        EXPECT_TRUE(heard.ended[side][stream]);
      }
      EXPECT_EQ(heard.bodies[side], spoken.bodies[side]);
    }
    EXPECT_EQ(observer.stream_count(), 0U);
    EXPECT_EQ(observer.counters().broken_heads, 0U);
    EXPECT_EQ(observer.counters().unknown_fields, 0U);
  }
}

// Whoever joins at any frame may miss things, but is told nothing wrong.
TEST(Http2Peers, AreOverheardMidwayWithoutAWrongWord) {
  const Talk spoken = talk(7);
  for (std::size_t begin = 1; begin < spoken.pieces.size(); ++begin) {
    SCOPED_TRACE(begin);
    Observer observer(false);
    Overheard heard;
    for (std::size_t i = begin; i < spoken.pieces.size(); ++i)
      ASSERT_TRUE(
          observer.feed(spoken.pieces[i].first, spoken.pieces[i].second, heard.sink()).has_value());
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      for (const auto& [stream, head] : heard.heads[side]) {
        // Joined inside a header block: nothing of it can be read.
        if (head.fields.empty()) {
          EXPECT_FALSE(head.is_complete);
          continue;
        }
        const Fields& fields = spoken.sent[side].at(stream);
        ASSERT_EQ(head.fields.size(), fields.size());
        for (std::size_t i = 0; i < fields.size(); ++i) {
          if (head.fields[i].is_unknown) continue;
          EXPECT_EQ(head.fields[i].name, fields[i].first);
          EXPECT_EQ(head.fields[i].value, fields[i].second);
        }
      }
      for (const auto& [stream, body] : heard.bodies[side])
        EXPECT_TRUE(spoken.bodies[side].at(stream).ends_with(body));
    }
    EXPECT_LE(observer.counters().broken_heads, 1U);
  }
}

// A hole inside a DATA frame costs its bytes and nothing else.
TEST(Http2Peers, HolesInDataAreCountedToTheByte) {
  const Talk spoken = talk(9);
  std::mt19937 random(9);
  Observer observer(true);
  Overheard heard;
  std::uint64_t holes = 0;
  for (const auto& [side, bytes] : spoken.pieces) {
    const bool is_data = bytes.size() > 100 && bytes[3] == 0 && (bytes[4] & 8) == 0;
    if (!is_data || random() % 2 == 0) {
      ASSERT_TRUE(observer.feed(side, bytes, heard.sink()).has_value());
      continue;
    }
    const std::size_t at = 9 + random() % 40;
    const std::size_t size = 1 + random() % 40;
    ASSERT_TRUE(observer.feed(side, bytes.substr(0, at), heard.sink()).has_value());
    observer.skip(side, size, heard.sink());
    ASSERT_TRUE(observer.feed(side, bytes.substr(at + size), heard.sink()).has_value());
    holes += size;
  }
  EXPECT_GT(holes, 0U);
  std::uint64_t gaps = 0;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    for (const auto& [stream, body] : spoken.bodies[side]) {
      EXPECT_EQ(heard.bodies[side][stream].size() + heard.gaps[side][stream], body.size());
      gaps += heard.gaps[side][stream];
      EXPECT_TRUE(heard.ended[side][stream]);
    }
  }
  EXPECT_EQ(gaps, holes);
  EXPECT_EQ(observer.counters().lost_bytes, holes);
}

}  // namespace
}  // namespace aispm::codec::http2
