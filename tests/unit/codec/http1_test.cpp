// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/http1.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace aispm::codec::http1 {
namespace {

using Role = HeadParser::Role;
using ::testing::HasSubstr;

constexpr std::string_view kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\ncontent-TYPE:application/json "
    "\t\r\n"
    "Authorization: Bearer x\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kChunkedReply =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "5;a;b=c\r\nhello\r\nA;name=\"v; w\"\r\n, world!!!\r\n0\r\nX-Sum: 1\r\n\r\n";

struct Message {
  std::string error;
  Errc code = Errc::kInternal;
  Head head;  // views are dead; only the numbers are looked at
  std::string body;
  bool complete = false;
};

// Reads one message that arrives as `pieces`, as a proxy would.
Message read_message(Role role, const std::vector<std::string_view>& pieces,
                     std::string_view method = {}) {
  Message message;
  HeadParser parser(role);
  std::string buffer;
  std::optional<BodyReader> body;
  const auto note = [&](const Error& error) {
    message.error = error.message;
    message.code = error.code;
  };
  for (const std::string_view piece : pieces) {
    buffer += piece;
    if (!body) {
      auto head = parser.parse(buffer, method);
      if (!head) return note(head.error()), message;
      if (!*head) continue;
      message.head = **head;
      body.emplace(**head);
      buffer.erase(0, (*head)->size_bytes);
    }
    std::string_view left = buffer;
    while (!body->done() && !left.empty()) {
      auto slice = body->next(left);
      if (!slice) return note(slice.error()), message;
      message.body += slice->data;
      left.remove_prefix(slice->consumed);
    }
    buffer.erase(0, buffer.size() - left.size());
  }
  if (body) {
    const auto end = body->finish();
    message.complete = end.has_value();
    if (!end) note(end.error());
  }
  return message;
}

Message read_whole(Role role, std::string_view bytes, std::string_view method = {}) {
  return read_message(role, {bytes}, method);
}

TEST(HttpHead, ReadsARequest) {
  HeadParser parser(Role::kRequest);
  const auto head = parser.parse(kRequest);
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->method, "POST");
  EXPECT_EQ((*head)->target, "/v1/chat/completions");
  EXPECT_EQ((*head)->host, "api.openai.com");
  EXPECT_EQ((*head)->content_type, "application/json");
  EXPECT_EQ((*head)->headers.size(), 4U);
  EXPECT_EQ((*head)->find("AUTHORIZATION"), "Bearer x");
  EXPECT_EQ((*head)->find("x-missing"), std::nullopt);
  EXPECT_EQ((*head)->body, BodyKind::kLength);
  EXPECT_EQ((*head)->content_length, 5U);
  EXPECT_TRUE((*head)->keep_alive);
  EXPECT_EQ(kRequest.substr((*head)->size_bytes), "hello");
}

TEST(HttpHead, ReadsAReply) {
  HeadParser parser(Role::kReply);
  const auto head = parser.parse(kChunkedReply);
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->status, 200);
  EXPECT_EQ((*head)->reason, "OK");
  EXPECT_EQ((*head)->body, BodyKind::kChunked);
}

TEST(HttpMessage, ReadsTheSameAtEverySplit) {
  const std::vector<std::pair<Role, std::string_view>> messages = {{Role::kRequest, kRequest},
                                                                   {Role::kReply, kChunkedReply}};
  for (const auto& [role, bytes] : messages) {
    const Message whole = read_whole(role, bytes);
    ASSERT_TRUE(whole.complete) << whole.error;
    std::vector<std::string_view> single;
    for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
    EXPECT_EQ(read_message(role, single).body, whole.body);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      const Message split = read_message(role, {bytes.substr(0, cut), bytes.substr(cut)});
      EXPECT_TRUE(split.complete) << cut << split.error;
      EXPECT_EQ(split.body, whole.body) << cut;
    }
  }
}

TEST(HttpMessage, KnowsThatACutBodyIsNotComplete) {
  for (std::size_t size = kChunkedReply.find("\r\n\r\n") + 4; size < kChunkedReply.size(); ++size) {
    const Message message = read_whole(Role::kReply, kChunkedReply.substr(0, size));
    EXPECT_FALSE(message.complete) << size;
    EXPECT_THAT(message.error, HasSubstr("closed before its end")) << size;
  }
}

struct BadCase {
  std::string_view name;
  Role role;
  std::string bytes;
  std::string_view error;
};

const std::vector<BadCase>& bad_messages() {
  static const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  static const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  static const std::string ok = "HTTP/1.1 200 OK\r\n";
  static const std::vector<BadCase> cases = {
      {"cl_and_te", Role::kRequest,
       post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "both"},
      {"te_and_cl", Role::kReply, ok + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
       "both"},
      {"two_lengths", Role::kRequest, post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
       "repeated"},
      {"two_equal_lengths", Role::kRequest, post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
       "repeated"},
      {"length_list", Role::kRequest, post + "Content-Length: 3, 3\r\n\r\n", "Content-Length"},
      {"length_sign", Role::kRequest, post + "Content-Length: +3\r\n\r\n", "Content-Length"},
      {"length_negative", Role::kRequest, post + "Content-Length: -1\r\n\r\n", "Content-Length"},
      {"length_hex", Role::kRequest, post + "Content-Length: 0x3\r\n\r\n", "Content-Length"},
      {"length_empty", Role::kRequest, post + "Content-Length:\r\n\r\n", "Content-Length"},
      {"length_huge", Role::kRequest, post + "Content-Length: 99999999999999999999\r\n\r\n",
       "Content-Length"},
      {"te_identity", Role::kRequest, post + "Transfer-Encoding: identity\r\n\r\n",
       "other than chunked"},
      {"te_gzip_chunked", Role::kRequest, post + "Transfer-Encoding: gzip, chunked\r\n\r\n",
       "other than chunked"},
      {"te_chunked_twice", Role::kRequest, post + "Transfer-Encoding: chunked, chunked\r\n\r\n",
       "other than chunked"},
      {"te_xchunked", Role::kRequest, post + "Transfer-Encoding: xchunked\r\n\r\n",
       "other than chunked"},
      {"te_tab_before", Role::kRequest, post + "Transfer-Encoding:\tchunked\r\n\r\n", "tab"},
      {"te_tab_behind", Role::kReply, ok + "Transfer-Encoding: chunked \t\r\n\r\n", "tab"},
      {"length_tab", Role::kRequest, post + "Content-Length: 3\t\r\n\r\n", "tab"},
      {"te_vertical_tab", Role::kRequest,
       post + "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
       "control byte"},
      {"te_two_headers", Role::kRequest,
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       "repeated Transfer-Encoding"},
      {"te_in_1_0", Role::kRequest, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.0"},
      {"space_before_colon", Role::kRequest, post + "Content-Length : 3\r\n\r\n", "header name"},
      {"tab_before_colon", Role::kRequest, post + "Transfer-Encoding\t: chunked\r\n\r\n",
       "header name"},
      {"folded", Role::kRequest, post + "X: a\r\n b\r\n\r\n", "folded"},
      {"folded_first", Role::kRequest, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folded"},
      {"no_name", Role::kRequest, post + ": x\r\n\r\n", "header name"},
      {"no_colon", Role::kRequest, post + "Transfer-Encoding chunked\r\n\r\n", "header name"},
      {"name_nul", Role::kRequest, post + std::string("X\0Y: 1\r\n\r\n", 10), "header name"},
      {"value_nul", Role::kRequest, post + std::string("X: a\0b\r\n\r\n", 10), "control byte"},
      {"value_del", Role::kRequest, post + "X: a long enough value \x7f with delete\r\n\r\n",
       "control byte"},
      {"value_cr", Role::kRequest, post + "X: a\rTransfer-Encoding: chunked\r\n\r\n",
       "control byte"},
      {"bare_lf_header", Role::kRequest, post + "X: a\nTransfer-Encoding: chunked\r\n\r\n",
       "LF without CR"},
      {"bare_lf_line", Role::kRequest, "GET / HTTP/1.1\nHost: a\r\n\r\n", "LF without CR"},
      {"bare_lf_end", Role::kRequest, post + "\n", "LF without CR"},
      {"lf_early", Role::kRequest, "GET /\n", "LF without CR"},
      {"leading_crlf", Role::kRequest, "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "empty line"},
      {"no_host", Role::kRequest, "GET / HTTP/1.1\r\n\r\n", "no Host"},
      {"two_hosts", Role::kRequest, post + "Host: b\r\n\r\n", "repeated Host"},
      {"host_list", Role::kRequest, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "malformed Host"},
      {"host_tab", Role::kRequest, "GET / HTTP/1.1\r\nHost:\ta\r\n\r\n", "tab"},
      {"host_userinfo", Role::kRequest, "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", "malformed Host"},
      {"version_0_9", Role::kRequest, "GET /\r\n\r\n", "request line"},
      {"version_2", Role::kRequest, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version"},
      {"version_lower", Role::kRequest, "GET / http/1.1\r\nHost: a\r\n\r\n", "version"},
      {"http2_preface", Role::kRequest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"},
      {"two_spaces", Role::kRequest, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "request line"},
      {"space_in_target", Role::kRequest, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "version"},
      {"tab_in_target", Role::kRequest, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "target"},
      {"obs_text_in_target", Role::kRequest, "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", "target"},
      {"target_query", Role::kRequest, "GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", "target"},
      {"target_authority", Role::kRequest, "POST a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "target"},
      {"target_scheme", Role::kRequest, "GET 1:///x HTTP/1.1\r\nHost: a\r\n\r\n", "target"},
      {"bad_method", Role::kRequest, "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "method"},
      {"tls_hello", Role::kRequest, std::string("\x16\x03\x01\x02\n", 5), "LF without CR"},
      {"connect_body", Role::kRequest,
       "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "CONNECT"},
      {"chunk_no_size", Role::kRequest, chunked + "\r\n", "chunk without size"},
      {"chunk_sign", Role::kRequest, chunked + "+5\r\nhello\r\n", "chunk size"},
      {"chunk_0x", Role::kRequest, chunked + "0x5\r\nhello\r\n", "chunk size"},
      {"chunk_space", Role::kRequest, chunked + "5 \r\nhello\r\n", "chunk size"},
      {"chunk_space_first", Role::kRequest, chunked + " 5\r\nhello\r\n", "chunk size"},
      {"chunk_bare_lf", Role::kRequest, chunked + "5\nhello\r\n", "chunk size"},
      {"chunk_ext_lf", Role::kRequest, chunked + "5;a\nhello\r\n", "extension"},
      {"chunk_ext_space", Role::kRequest, chunked + "5; a=b\r\nhello\r\n", "extension"},
      {"chunk_ext_space_behind", Role::kRequest, chunked + "5;a \r\nhello\r\n", "extension"},
      {"chunk_ext_none", Role::kRequest, chunked + "5;\r\nhello\r\n", "extension"},
      {"chunk_ext_no_name", Role::kRequest, chunked + "5;=b\r\nhello\r\n", "extension"},
      {"chunk_ext_no_value", Role::kRequest, chunked + "5;a=\r\nhello\r\n", "extension"},
      {"chunk_ext_open", Role::kRequest, chunked + "5;a=\"b\r\nhello\r\n", "extension"},
      {"chunk_ext_escape", Role::kRequest, chunked + "5;a=\"\\\"\"\r\nhello\r\n", "extension"},
      {"chunk_ext_behind_string", Role::kRequest, chunked + "5;a=\"b\"c\r\nhello\r\n", "extension"},
      {"chunk_ext_obs_text", Role::kRequest, chunked + "5;\xff\r\nhello\r\n", "extension"},
      {"chunk_cr_only", Role::kRequest, chunked + "5\rhello", "CR without LF"},
      {"chunk_too_many_digits", Role::kRequest, chunked + "0000000000000005\r\nhello\r\n",
       "chunk size"},
      {"chunk_longer", Role::kRequest, chunked + "5\r\nhello!\r\n", "longer than its size"},
      {"chunk_end_lf", Role::kRequest, chunked + "5\r\nhello\n", "longer than its size"},
      {"trailer_folded", Role::kRequest, chunked + "0\r\n X: 1\r\n\r\n", "trailer"},
      {"trailer_name", Role::kRequest, chunked + "0\r\nX Y: 1\r\n\r\n", "trailer"},
      {"trailer_length", Role::kRequest, chunked + "0\r\nContent-Length: 5\r\n\r\n", "trailer"},
      {"trailer_coding", Role::kReply,
       ok + "Transfer-Encoding: chunked\r\n\r\n0\r\ntransfer-encoding: chunked\r\n\r\n", "trailer"},
      {"trailer_host", Role::kRequest, chunked + "0\r\nHost: b\r\n\r\n", "trailer"},
      {"trailer_lf", Role::kRequest, chunked + "0\r\nX: 1\n\r\n", "control byte"},
      {"status_two_digits", Role::kReply, "HTTP/1.1 20 OK\r\n\r\n", "status"},
      {"status_below", Role::kReply, "HTTP/1.1 099 OK\r\n\r\n", "below 100"},
      {"status_word", Role::kReply, "HTTP/1.1 2x0 OK\r\n\r\n", "status"},
      {"status_version", Role::kReply, "HTTP/1.2 200 OK\r\n\r\n", "version"},
      {"status_line_short", Role::kReply, "HTTP/1.1\r\n\r\n", "status line"},
      {"length_with_204", Role::kReply, "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n",
       "allows none"},
      {"chunked_with_100", Role::kReply, "HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n",
       "allows none"},
  };
  return cases;
}

// Two parsers that read one message differently let a second request through unseen: refuse all
// that allows it.
TEST(HttpMessage, RefusesWhatTwoParsersCouldReadDifferently) {
  for (const BadCase& bad : bad_messages()) {
    const Message message = read_whole(bad.role, bad.bytes);
    EXPECT_THAT(message.error, HasSubstr(bad.error)) << bad.name;
    EXPECT_EQ(message.code, Errc::kInvalid) << bad.name;
    std::vector<std::string_view> single;
    for (std::size_t i = 0; i < bad.bytes.size(); ++i)
      single.push_back(std::string_view(bad.bytes).substr(i, 1));
    EXPECT_EQ(read_message(bad.role, single).error, message.error) << bad.name << " byte by byte";
  }
}

TEST(HttpHead, LimitsItsSizeAndItsHeaders) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string many = start;
  for (std::size_t i = 0; i < kMaxHeaders; ++i) many += "X: 1\r\n";
  EXPECT_EQ(read_whole(Role::kRequest, many + "\r\n").code, Errc::kTooLarge);
  const std::string large = start + "X: " + std::string(kMaxHeadBytes, 'x');
  EXPECT_EQ(read_whole(Role::kRequest, large).code, Errc::kTooLarge);
  EXPECT_EQ(read_whole(Role::kRequest, large + "\r\n\r\n").code, Errc::kTooLarge);
  const std::string fits =
      start + "X: " + std::string(kMaxHeadBytes - start.size() - 7, 'x') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), kMaxHeadBytes);
  EXPECT_TRUE(read_whole(Role::kRequest, fits).complete);
}

TEST(HttpBody, LimitsChunkLinesAndTrailers) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(read_whole(Role::kReply, head + "5;" + std::string(kMaxChunkLineBytes, 'x')).code,
            Errc::kTooLarge);
  EXPECT_EQ(read_whole(Role::kReply, head + "0\r\nX: " + std::string(kMaxTrailerBytes, 'x')).code,
            Errc::kTooLarge);
}

struct FramingCase {
  std::string_view head;
  std::string_view method;
  BodyKind body;
  bool keep_alive;
};

TEST(HttpHead, DecidesHowABodyEnds) {
  const std::vector<FramingCase> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "POST", BodyKind::kLength, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "POST", BodyKind::kNone, true},
      {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "POST", BodyKind::kNone, true},
      {"HTTP/1.1 200 OK\r\n\r\n", "POST", BodyKind::kUntilClose, false},
      {"HTTP/1.0 200 OK\r\n\r\n", "POST", BodyKind::kUntilClose, false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", "POST",
       BodyKind::kLength, true},
      {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 3\r\n\r\n", "POST",
       BodyKind::kLength, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", BodyKind::kNone, true},
      {"HTTP/1.1 304 NM\r\nContent-Length: 3\r\n\r\n", "GET", BodyKind::kNone, true},
      {"HTTP/1.1 204 NC\r\n\r\n", "POST", BodyKind::kNone, true},
      {"HTTP/1.1 100 Continue\r\n\r\n", "POST", BodyKind::kNone, true},
      {"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET",
       BodyKind::kTunnel, true},
      {"HTTP/1.1 200 OK\r\n\r\n", "CONNECT", BodyKind::kTunnel, true},
      {"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\n", "CONNECT", BodyKind::kLength, true},
  };
  for (const FramingCase& c : cases) {
    HeadParser parser(Role::kReply);
    const auto head = parser.parse(c.head, c.method);
    ASSERT_TRUE(head && *head) << c.head;
    EXPECT_EQ((*head)->body, c.body) << c.head;
    EXPECT_EQ((*head)->keep_alive, c.keep_alive) << c.head;
  }
}

TEST(HttpHead, ReportsInterimRepliesUpgradeAndExpect) {
  HeadParser replies(Role::kReply);
  const auto interim = replies.parse("HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(interim && *interim);
  EXPECT_TRUE((*interim)->is_interim);
  HeadParser requests(Role::kRequest);
  const auto upgrade = requests.parse(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
      "websocket\r\nExpect: 100-Continue\r\n\r\n");
  ASSERT_TRUE(upgrade && *upgrade);
  EXPECT_EQ((*upgrade)->upgrade, "websocket");
  EXPECT_TRUE((*upgrade)->expects_continue);
  const auto ignored = requests.parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n");
  ASSERT_TRUE(ignored && *ignored);
  EXPECT_EQ((*ignored)->upgrade, "");
}

TEST(HttpHead, ReadsPipelinedRequestsOneByOne) {
  const std::string one = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
  const std::string stream = one + one;
  HeadParser parser(Role::kRequest);
  std::string_view left = stream;
  for (int i = 0; i < 2; ++i) {
    const auto head = parser.parse(left);
    ASSERT_TRUE(head && *head);
    left.remove_prefix((*head)->size_bytes);
    BodyReader body(**head);
    const auto slice = body.next(left);
    ASSERT_TRUE(slice);
    EXPECT_EQ(slice->data, "hi");
    EXPECT_TRUE(body.done());
    left.remove_prefix(slice->consumed);
  }
  EXPECT_TRUE(left.empty());
}

}  // namespace
}  // namespace aispm::codec::http1
