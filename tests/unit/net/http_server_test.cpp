// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/http_server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <future>
#include <thread>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

UniqueFd dial(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return fd;
}

void put(const UniqueFd& fd, std::string_view bytes) {
  EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

// Reads to the end of the connection, or until `until` was seen.
std::string take(const UniqueFd& fd, std::string_view until = {}) {
  std::string all;
  char buffer[4096];
  while (until.empty() || all.find(until) == std::string::npos) {
    const ssize_t size = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (size <= 0) break;
    all.append(buffer, static_cast<std::size_t>(size));
  }
  return all;
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler, HttpServerOptions options = {}) {
  auto server = HttpServer::start(options, std::move(handler));
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

void echo(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
  reply->send({.status = 200,
               .headers = {{"x-name", std::string(request.header("x-name"))}},
               .body = request.method + " " + request.target + " " + request.body});
}

TEST(HttpServer, AnswersARequestWithItsBodyAndHeaders) {
  const auto server = serve(echo);
  const auto client = dial(server->port());
  put(client,
      "POST /a?b=c HTTP/1.1\r\nHost: h\r\nX-Name: one\r\nContent-Length: 3\r\nConnection: "
      "close\r\n\r\nxyz");
  const std::string answer = take(client);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-name: one\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nPOST /a?b=c xyz"));
}

TEST(HttpServer, KeepsAConnectionForPipelinedRequests) {
  const auto server = serve(echo);
  const auto client = dial(server->port());
  put(client,
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = take(client);
  EXPECT_THAT(answer, HasSubstr("GET /1 HTTP/1.1 200"));
  EXPECT_THAT(answer, EndsWith("GET /2 "));
}

TEST(HttpServer, ReadsARequestThatComesByteByByte) {
  const auto server = serve(echo);
  const auto client = dial(server->port());
  for (const char byte :
       std::string_view("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                        "chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\nGET /b HTTP/1.0\r\n\r\n"))
    put(client, {&byte, 1});
  const std::string answer = take(client);
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nPOST /a xyzHTTP/1.1 200"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /b "));
}

TEST(HttpServer, SendsNoBodyToHead) {
  const auto server = serve(echo);
  const auto client = dial(server->port());
  put(client, "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = take(client);
  EXPECT_THAT(answer, HasSubstr("content-length: 7\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(HttpServer, ContinuesWhenTheClientWaitsToSendItsBody) {
  const auto server = serve(echo);
  const auto client = dial(server->port());
  put(client,
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_THAT(take(client, "\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  put(client, "ok");
  EXPECT_THAT(take(client), EndsWith("POST / ok"));
}

struct Refusal {
  const char* name;
  std::string request;
  std::string status;
};

class HttpServerRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(HttpServerRefuses, WithAStatusThatSaysWhy) {
  HttpServerOptions options;
  options.max_header_bytes = 1024;
  options.max_body_bytes = 8;
  std::atomic<int> calls{0};
  const auto server = serve(
      [&](const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
        ++calls;
        echo(request, reply);
      },
      options);
  const auto client = dial(server->port());
  put(client, GetParam().request);
  EXPECT_THAT(take(client), StartsWith("HTTP/1.1 " + GetParam().status));
  EXPECT_EQ(calls, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Table, HttpServerRefuses,
    ::testing::Values(
        Refusal{"LongHeader", "GET / HTTP/1.1\r\nX: " + std::string(2000, 'a') + "\r\n\r\n", "431"},
        Refusal{"LongBody", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123456789",
                "413"},
        Refusal{"LongChunks",
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                "chunked\r\n\r\n5\r\n12345\r\n5\r\n67890",
                "413"},
        Refusal{"NoHost", "GET / HTTP/1.1\r\n\r\n", "400"},
        Refusal{"TwoHosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "400"},
        Refusal{"FoldedLine", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "400"},
        Refusal{"OtherCoding",
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                "400"},
        Refusal{
            "CodingAfterChunked",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "400"},
        Refusal{"OtherTarget", "GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", "400"},
        Refusal{"NotHttp", "\x16\x03\x01 hello\r\n\r\n", "400"},
        Refusal{"LengthAndChunked",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
                "chunked\r\n\r\n0\r\n\r\n",
                "400"},
        Refusal{"TwoLengths",
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                "400"}),
    [](const auto& row) { return row.param.name; });

TEST(HttpServer, AnswersFiveHundredWhenTheHandlerDropsTheReply) {
  const auto server = serve([](const HttpRequest&, std::shared_ptr<HttpReply>) {});
  const auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(take(client), StartsWith("HTTP/1.1 500 "));
}

TEST(HttpServer, RefusesToSplitAReplyByAHeader) {
  const auto server = serve([](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->send({.status = 200, .headers = {{"a", "b\r\nset-cookie: evil"}}, .body = ""});
  });
  const auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(take(client), StartsWith("HTTP/1.1 500 "));
}

TEST(HttpServer, StreamsChunksWrittenByAnotherThread) {
  std::promise<std::shared_ptr<HttpReply>> given;
  const auto server = serve([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->start_stream(
        {.status = 200, .headers = {{"content-type", "text/event-stream"}}, .body = "first"});
    given.set_value(std::move(reply));
  });
  const auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  auto reply = given.get_future().get();
  EXPECT_TRUE(reply->write("second"));
  reply->finish();
  const std::string answer = take(client);
  EXPECT_THAT(answer, HasSubstr("transfer-encoding: chunked"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"));
}

TEST(HttpServer, TellsTheWriterThatTheClientHasGone) {
  std::promise<std::shared_ptr<HttpReply>> given;
  const auto server = serve([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    reply->start_stream({});
    given.set_value(std::move(reply));
  });
  auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  take(client, "\r\n\r\n");
  auto reply = given.get_future().get();
  client.reset();
  while (reply->write("x")) std::this_thread::yield();  // ends when the server has seen the close
  SUCCEED();
}

TEST(HttpServer, DropsAClientThatDoesNotReadItsStream) {
  HttpServerOptions options;
  options.max_stream_buffer_bytes = 1U << 16;
  std::promise<std::shared_ptr<HttpReply>> given;
  const auto server = serve(
      [&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
        reply->start_stream({});
        given.set_value(std::move(reply));
      },
      options);
  const auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  auto reply = given.get_future().get();
  std::size_t written = 0;
  while (reply->write(std::string(4096, 'x')) && written < (64U << 20)) written += 4096;
  EXPECT_LT(written, 64U << 20);
}

TEST(HttpServer, SaysWhichAddressIsTaken) {
  const auto first = serve(echo);
  HttpServerOptions options;
  options.port = first->port();
  const auto second = HttpServer::start(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(first->port())));
}

TEST(HttpServer, EndsWhileAHandlerStillHoldsAReply) {
  std::promise<std::shared_ptr<HttpReply>> given;
  auto server = serve([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    given.set_value(std::move(reply));
  });
  const auto client = dial(server->port());
  put(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  auto reply = given.get_future().get();
  server.reset();
  reply->send({});
  reply.reset();
  EXPECT_EQ(take(client), "");
}

}  // namespace
}  // namespace aispm::net
