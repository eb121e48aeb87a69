// SPDX-License-Identifier: Apache-2.0
// Where calls go, how that is known, and calls seen at both ends.
#include <gmock/gmock.h>

#include "sensor/correlate/route.hpp"
#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
  Address address;
  address.bytes = {a, b, c, d};
  address.port = port;
  return address;
}

const Address kClientEnd = v4(127, 0, 0, 1, 40000);
const Address kServerEnd = v4(127, 0, 0, 1, 11434);
const Address kFarEnd = v4(192, 0, 2, 7, 443);
const Address kOwnEnd = v4(10, 0, 0, 5, 41000);

std::vector<GatewayPlace> gateways() {
  return {parse_gateway_place("gw.example:8088").value(),
          parse_gateway_place("10.0.0.9:8088").value()};
}

TEST(RouteJudge, TellsGatewayLocalAndDirect) {
  struct Case {
    std::string host;
    std::string name;
    std::optional<Endpoints> socket;
    std::string route;
  };
  const RouteJudge judge(gateways());
  const Address own = v4(10, 0, 0, 5, 50000);
  const std::vector<Case> cases = {
      {"api.openai.com", "", std::nullopt, "direct"},
      {"GW.example:8088", "", std::nullopt, "gateway"},
      {"gw.example", "", std::nullopt, "direct"},  // another port
      {"localhost:11434", "", std::nullopt, "local"},
      {"[::1]:11434", "", std::nullopt, "local"},
      {"", "", std::nullopt, ""},
      {"api.openai.com", "", Endpoints{own, v4(10, 0, 0, 9, 8088)}, "gateway"},
      {"api.openai.com", "", Endpoints{own, v4(10, 0, 0, 9, 9999)}, "direct"},
      {"x", "gw.example", Endpoints{own, v4(203, 0, 113, 1, 8088)}, "gateway"},
      // What the connection was found under outweighs what the client wrote.
      {"gw.example:8088", "evil.example", Endpoints{own, v4(203, 0, 113, 1, 8088)}, "direct"},
      {"x", "", Endpoints{kClientEnd, kServerEnd}, "local"},
      {"x", "", Endpoints{own, v4(10, 0, 0, 5, 8000)}, "local"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(judge.judge(c.host, c.name, c.socket), c.route) << c.host << " " << c.name;
}

TEST(GatewayPlace, RefusesWhatIsNoPlace) {
  EXPECT_EQ(parse_gateway_place("[fd00::7]:8088").value().host, "fd00::7");
  EXPECT_EQ(parse_gateway_place("FD00:0::7").value().port, 0);
  for (const char* text : {"", ":80", "a:", "a:0", "a:70000", "a b", "http://a", "a:80x"})
    EXPECT_FALSE(parse_gateway_place(text).has_value()) << text;
}

TEST(Attribution, NamesTheSocketThatTheLibraryUsed) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  tls.socket = Endpoints{kOwnEnd, kFarEnd, 77};  // known once the library did I/O
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  const model::LlmCall call = recorder.calls().at(0).call;
  EXPECT_EQ(call.destination_address, "192.0.2.7");
  EXPECT_EQ(call.destination_port, 443);
  EXPECT_EQ(call.attribution, "socket");
  EXPECT_EQ(call.attribution_confidence, 1.0);
  EXPECT_EQ(call.route, "direct");
}

TEST(Attribution, SaysSoWhenItDoesNotKnow) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  const model::LlmCall call = recorder.calls().at(0).call;
  EXPECT_EQ(call.attribution, "none");
  EXPECT_EQ(call.attribution_confidence, 0);
  EXPECT_EQ(call.destination_address, "");
}

SeenName sni(const Plaintext& who, std::string_view name, std::uint64_t cookie) {
  SeenName seen;
  seen.time.nanoseconds = who.now;
  seen.actor.id = who.key.process;
  seen.name = name;
  seen.socket = Endpoints{kOwnEnd, kFarEnd, cookie};
  return seen;
}

TEST(Attribution, JoinsMemoryBiosByTheNameTheyAskedFor) {
  for (const std::uint64_t connections : {1U, 2U}) {
    Recorder recorder;
    Plaintext tls;
    for (std::uint64_t i = 0; i < connections; ++i)
      recorder.correlator.take(sni(tls, "api.openai.com", 100 + i));
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
    recorder.correlator.take(tls.reply(ok(kAnswer)));
    const model::LlmCall call = recorder.calls().at(0).call;
    EXPECT_EQ(call.attribution, "sni");
    EXPECT_EQ(call.attribution_confidence, connections == 1 ? 0.9 : 0.5);
    EXPECT_EQ(call.destination_address, "192.0.2.7");
  }
}

TEST(Attribution, NamesTheHostByDnsWhenTheRequestDoesNot) {
  Recorder recorder;
  SeenName answer;
  answer.source = NameSource::kDns;
  answer.name = "llm.example";
  answer.addresses = {kFarEnd};
  answer.ttl_seconds = 60;
  recorder.correlator.take(answer);
  Plaintext tls;
  tls.socket = Endpoints{kOwnEnd, kFarEnd, 77};
  recorder.correlator.take(tls.write("POST /v1/chat/completions HTTP/1.0\r\nContent-Length: " +
                                     std::to_string(kAsk.size()) + "\r\n\r\n" + std::string(kAsk)));
  EXPECT_EQ(recorder.requests().at(0).call.host, "llm.example");
}

TEST(Attribution, SaysHowTheNameOfAConnectionIsKnown) {
  Recorder recorder;
  SeenName asked;
  asked.source = NameSource::kHttpHost;
  asked.name = "llm.example";
  asked.socket = Endpoints{kOwnEnd, kFarEnd, 77};
  recorder.correlator.take(asked);
  EXPECT_EQ(recorder.correlator.name_of(*asked.socket, BootTime{1}),
            std::pair(std::string("llm.example"), std::string("http_host")));
}

struct BothEndsTest : ::testing::Test {
  BothEndsTest() : client(10, 1), server(30, 2) {
    client.socket = Endpoints{kClientEnd, kServerEnd, 1};
    server.socket = Endpoints{kServerEnd, kClientEnd, 2};
    client.key.source = server.key.source = StreamSource::kPlainSocket;
  }
  void settle() { recorder.correlator.expire(BootTime{client.now + 3000 * kMillisecond}); }
  Recorder recorder;
  Plaintext client;
  Plaintext server;
};

TEST_F(BothEndsTest, OneCallIsReportedOnceWhicheverEndIsSeenFirst) {
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(server.reply(request));
  recorder.correlator.take(client.write(request));
  recorder.correlator.take(server.write(ok(kAnswer)));
  recorder.correlator.take(client.reply(ok(kAnswer)));
  settle();
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  EXPECT_EQ(recorder.calls()[0].party.actor.id, client.key.process);
  EXPECT_EQ(recorder.calls()[0].call.route, "local");
}

TEST_F(BothEndsTest, TheServersEndSpeaksForAClientThatCouldNotBeRead) {
  Connect connect;
  connect.actor.id = client.key.process;
  connect.socket = *client.socket;
  recorder.correlator.take(connect);
  recorder.correlator.take(server.reply(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(server.write(ok(kAnswer)));
  settle();
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  const Observation seen = recorder.calls()[0];
  EXPECT_TRUE(seen.has_local_client);
  EXPECT_EQ(seen.party.actor.id, client.key.process);
  EXPECT_EQ(seen.server.id, server.key.process);
  EXPECT_EQ(seen.call.destination_port, 11434);
}

TEST_F(BothEndsTest, ARemoteClientsCallIsTheServers) {
  server.socket->destination = v4(192, 0, 2, 50, 40000);
  recorder.correlator.take(server.reply(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(server.write(ok(kAnswer)));
  settle();
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  EXPECT_FALSE(recorder.calls()[0].has_local_client);
  EXPECT_EQ(recorder.calls()[0].party.actor.id, server.key.process);
}

TEST_F(BothEndsTest, WithoutSocketsTheSamePromptAtTheSameTimeIsOneCall) {
  client.socket.reset();
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(client.write(request));
  recorder.correlator.take(server.reply(request));
  recorder.correlator.take(server.write(ok(kAnswer)));
  recorder.correlator.take(client.reply(ok(kAnswer)));
  settle();
  EXPECT_THAT(recorder.calls(), SizeIs(1));
}

// The client was killed: its connection was reset before the server read the request.
TEST_F(BothEndsTest, AServersSocketThatWasResetIsNoOtherConnection) {
  server.socket->source.port = 0;
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(client.write(request));
  recorder.correlator.take(client.close());
  recorder.correlator.take(server.reply(request));
  recorder.correlator.take(server.close());
  settle();
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  EXPECT_EQ(recorder.calls()[0].party.actor.id, client.key.process);
}

// Two clients that ask the same are two.
TEST_F(BothEndsTest, TheSamePromptOnAnotherConnectionIsAnotherCall) {
  server.socket->destination = v4(192, 0, 2, 50, 40000);
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(client.write(request));
  recorder.correlator.take(client.reply(ok(kAnswer)));
  recorder.correlator.take(server.reply(request));
  recorder.correlator.take(server.write(ok(kAnswer)));
  settle();
  EXPECT_THAT(recorder.calls(), SizeIs(2));
}

TEST(Attribution, CallsWhatTheGatewaySendsOnTheGateways) {
  Correlator::Options options;
  options.gateways = {parse_gateway_place("127.0.0.1:8088").value()};
  Recorder recorder(options);
  Plaintext gateway;
  gateway.socket = Endpoints{kOwnEnd, kFarEnd, 5};
  Listen listen;
  listen.actor.id = gateway.key.process;
  listen.socket.source = v4(0, 0, 0, 0, 8088);
  recorder.correlator.take(listen);
  recorder.correlator.take(gateway.write(post("/v1/chat/completions", kAsk)));
  EXPECT_EQ(recorder.requests().at(0).call.route, "gateway");
}

}  // namespace
}  // namespace aispm::sensor
