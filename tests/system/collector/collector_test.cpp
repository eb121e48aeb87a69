// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <sqlite3.h>

#include <atomic>
#include <deque>

#include "aispm/v1/api.grpc.pb.h"
#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/pki.hpp"
#include "tests/system/collector/daemon.hpp"

// The real program, spoken to by a plain gRPC client over TLS.
namespace aispm::collector::test {
namespace {

namespace pb = aispm::v1;
using ::testing::HasSubstr;
using Stream = grpc::ClientReaderWriter<pb::ReportRequest, pb::ReportReply>;

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto begin = text.find(from) + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

struct Certificate {
  Secret key;
  std::string pem;
  std::string host_id;
};

class Collector : public testing::Test {
 protected:
  Collector() {
    const auto [status, made] = daemon_.run({"bootstrap", "--config", daemon_.config()});
    EXPECT_EQ(status, 0) << daemon_.log();
    admin_ = between(made, "\"admin_token\":\"", "\"");
    enrolment_ = between(made, "\"enrolment_token\":\"", "\"");
    ca_ = read_file(between(made, "\"ca_file\":\"", "\""), 1U << 16).value();
    daemon_.start();
  }

  std::shared_ptr<grpc::Channel> channel(const Certificate* certificate = nullptr) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ca_;
    if (certificate != nullptr) {
      options.pem_private_key = std::string(certificate->key.expose());
      options.pem_cert_chain = certificate->pem;
    }
    return grpc::CreateChannel("localhost:" + std::to_string(daemon_.grpc_port),
                               grpc::SslCredentials(options));
  }

  grpc::Status enrol(const std::string& token, const std::string& component,
                     Certificate& certificate) const {
    certificate.key = pki::make_key().value();
    pb::EnrolRequest request;
    request.set_token(token);
    request.set_certificate_request_pem(pki::make_request(certificate.key, "me").value());
    request.set_component(component);
    request.set_hostname("test-host");
    request.set_machine_id("machine-1");
    pb::EnrolReply reply;
    grpc::ClientContext context;
    const auto status = pb::Enrolment::NewStub(channel())->Enrol(&context, request, &reply);
    certificate.pem = reply.certificate_pem();
    certificate.host_id = reply.host_id();
    return status;
  }

  std::string new_token() const {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + admin_);
    pb::CreatedEnrolmentToken created;
    const auto status =
        pb::Operator::NewStub(channel())->CreateEnrolmentToken(&context, {}, &created);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return created.token();
  }

  std::int64_t count(const std::string& sql) const {
    sqlite3* database = nullptr;
    sqlite3_open_v2(daemon_.store().c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_step(statement);
    const std::int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return value;
  }

  Daemon daemon_;
  std::string admin_;
  std::string enrolment_;
  std::string ca_;
};

pb::ReportRequest make_hello(const std::string& producer) {
  pb::ReportRequest request;
  request.mutable_hello()->set_producer_id(producer);
  request.mutable_hello()->set_hostname("test-host");
  request.mutable_hello()->set_version("1");
  return request;
}

pb::Event make_exec(std::uint32_t pid) {
  pb::Event event;
  event.set_id(make_uuid());
  event.mutable_time()->set_seconds(1'790'000'000);
  event.mutable_process()->set_pid(pid);
  event.mutable_process_exec();
  return event;
}

pb::ReportRequest make_batch(std::uint64_t sequence, int events) {
  pb::ReportRequest request;
  request.mutable_batch()->set_sequence(sequence);
  for (int i = 0; i < events; ++i)
    *request.mutable_batch()->add_events() = make_exec(static_cast<std::uint32_t>(i + 1));
  return request;
}

TEST_F(Collector, EnrolsWithATokenOnceAndStoresWhatIsReported) {
  Certificate certificate;
  ASSERT_TRUE(enrol(enrolment_, "sensord", certificate).ok());
  Certificate second;
  EXPECT_EQ(enrol(enrolment_, "sensord", second).error_code(), grpc::StatusCode::UNAUTHENTICATED);

  grpc::ClientContext context;
  const auto stub = pb::Ingest::NewStub(channel(&certificate));
  const auto stream = stub->Report(&context);
  pb::ReportReply reply;
  ASSERT_TRUE(stream->Write(make_hello("p1")));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.hello().acknowledged_sequence(), 0U);
  EXPECT_EQ(reply.hello().host_id(), certificate.host_id);
  pb::ReportRequest batch = make_batch(1, 10);
  batch.mutable_batch()->add_events();  // malformed
  ASSERT_TRUE(stream->Write(batch));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(reply.ack().sequence(), 1U);
  EXPECT_EQ(reply.ack().rejected(), 1U);
  EXPECT_EQ(count("SELECT COUNT(*) FROM events"), 10);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Collector, GivesSensorAndGatewayOfOneHostTheSameHostId) {
  Certificate sensor;
  Certificate gateway;
  ASSERT_TRUE(enrol(new_token(), "sensord", sensor).ok());
  ASSERT_TRUE(enrol(new_token(), "gateway", gateway).ok());
  EXPECT_EQ(sensor.host_id, gateway.host_id);
}

TEST_F(Collector, PutsTheFingerprintOfItsCaIntoTokens) {
  EXPECT_EQ(between(enrolment_ + "|", ".", "|"), pki::fingerprint(ca_).value());
}

TEST_F(Collector, SEN_029_RefusesPlaintext) {
  const auto plain = grpc::CreateChannel("localhost:" + std::to_string(daemon_.grpc_port),
                                         grpc::InsecureChannelCredentials());
  pb::EnrolRequest request;
  request.set_token(enrolment_);
  request.set_component("sensord");
  pb::EnrolReply reply;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  EXPECT_FALSE(pb::Enrolment::NewStub(plain)->Enrol(&context, request, &reply).ok());
  Certificate certificate;  // the token was not taken
  EXPECT_TRUE(enrol(enrolment_, "sensord", certificate).ok());
}

TEST_F(Collector, SEN_029_TakesReportsOnlyWithACertificateOfItsOwn) {
  grpc::ClientContext context;
  const auto without = pb::Ingest::NewStub(channel())->Report(&context);
  EXPECT_EQ(without->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);

  const WallTime now = wall_now();
  const pki::Validity day{{now.nanoseconds - 3'600'000'000'000},
                          {now.nanoseconds + 86'400'000'000'000}};
  const Secret other_ca_key = pki::make_key().value();
  const std::string other_ca = pki::make_ca(other_ca_key, "other", day).value();
  Certificate forged{pki::make_key().value(), {}, {}};
  forged.pem =
      pki::sign_client_request(other_ca_key, other_ca, pki::make_request(forged.key, "x").value(),
                               {"default", "gateway", "h"}, day)
          .value();
  grpc::ClientContext other;
  other.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  const auto with_forged = pb::Ingest::NewStub(channel(&forged))->Report(&other);
  EXPECT_FALSE(with_forged->Finish().ok());
}

TEST_F(Collector, RenewsACertificateWithTheSameIdentity) {
  Certificate certificate;
  ASSERT_TRUE(enrol(enrolment_, "gateway", certificate).ok());
  const Secret key = pki::make_key().value();
  pb::RenewRequest request;
  request.set_certificate_request_pem(pki::make_request(key, "someone else").value());
  pb::EnrolReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(pb::Enrolment::NewStub(channel(&certificate))->Renew(&context, request, &reply).ok());
  EXPECT_EQ(pki::parse_identity(reply.certificate_pem()).value(),
            pki::parse_identity(certificate.pem).value());
  grpc::ClientContext without;
  EXPECT_EQ(pb::Enrolment::NewStub(channel())->Renew(&without, request, &reply).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(Collector, TellsGatewaysOfEveryKeyChangeAndSensorsOfNone) {
  Certificate gateway;
  Certificate sensor;
  ASSERT_TRUE(enrol(enrolment_, "gateway", gateway).ok());
  ASSERT_TRUE(enrol(new_token(), "sensord", sensor).ok());
  grpc::ClientContext refused;
  EXPECT_EQ(
      pb::Ingest::NewStub(channel(&sensor))->WatchAgentKeys(&refused, {})->Finish().error_code(),
      grpc::StatusCode::PERMISSION_DENIED);

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto ingest = pb::Ingest::NewStub(channel(&gateway));
  const auto watch = ingest->WatchAgentKeys(&context, {});
  pb::AgentKeySnapshot snapshot;
  ASSERT_TRUE(watch->Read(&snapshot));
  EXPECT_EQ(snapshot.keys_size(), 0);
  const auto operators = pb::Operator::NewStub(channel());
  pb::CreateAgentKeyRequest create;
  create.set_agent_id("bot");
  pb::CreatedAgentKey created;
  grpc::ClientContext create_context;
  create_context.AddMetadata("authorization", "Bearer " + admin_);
  ASSERT_TRUE(operators->CreateAgentKey(&create_context, create, &created).ok());
  ASSERT_TRUE(watch->Read(&snapshot));
  ASSERT_EQ(snapshot.keys_size(), 1);
  pb::RevokeAgentKeyRequest revoke;
  revoke.set_key_id(created.info().key_id());
  pb::AgentKey revoked;
  grpc::ClientContext revoke_context;
  revoke_context.AddMetadata("authorization", "Bearer " + admin_);
  ASSERT_TRUE(operators->RevokeAgentKey(&revoke_context, revoke, &revoked).ok());
  ASSERT_TRUE(watch->Read(&snapshot));
  EXPECT_EQ(snapshot.keys_size(), 0);
  context.TryCancel();
}

TEST_F(Collector, StreamsEventsAsTheyAreStored) {
  Certificate certificate;
  ASSERT_TRUE(enrol(enrolment_, "sensord", certificate).ok());
  grpc::ClientContext watch_context;
  watch_context.AddMetadata("authorization", "Bearer " + admin_);
  watch_context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto operators = pb::Operator::NewStub(channel());
  const auto events = operators->StreamEvents(&watch_context, {});
  events->WaitForInitialMetadata();  // the subscription stands

  grpc::ClientContext context;
  const auto ingest = pb::Ingest::NewStub(channel(&certificate));
  const auto stream = ingest->Report(&context);
  const pb::ReportRequest batch = make_batch(1, 3);
  stream->Write(make_hello("p1"));
  stream->Write(batch);
  for (int i = 0; i < 3; ++i) {
    pb::Event event;
    ASSERT_TRUE(events->Read(&event));
    EXPECT_EQ(event.id(), batch.batch().events(i).id());
  }
  watch_context.TryCancel();
}

// A producer as the real one: keeps batches until they are acknowledged, and after each reconnect
// goes on behind the Ack that HelloReply names.
class Producer {
 public:
  static constexpr int kBatchEvents = 50;

  // Sends until `batches` are acknowledged or the stream breaks.
  bool send(const std::shared_ptr<grpc::Channel>& channel, std::uint64_t batches) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const auto stub = pb::Ingest::NewStub(channel);
    const auto stream = stub->Report(&context);
    pb::ReportReply reply;
    if (!stream->Write(make_hello("p1")) || !stream->Read(&reply)) return false;
    std::uint64_t sent = reply.hello().acknowledged_sequence();
    EXPECT_GE(sent, acknowledged);  // what was acknowledged before must have survived
    acknowledged = sent;
    std::thread writer([&] {
      while (sent < batches && stream->Write(spool(sent + 1))) ++sent;
    });
    while (acknowledged < batches && stream->Read(&reply)) acknowledged = reply.ack().sequence();
    context.TryCancel();
    writer.join();
    return acknowledged == batches;
  }

  std::atomic<std::uint64_t> acknowledged = 0;

 private:
  // The same events under the same sequence, however often it is sent.
  const pb::ReportRequest& spool(std::uint64_t sequence) {
    while (spool_.size() < sequence) spool_.push_back(make_batch(spool_.size() + 1, kBatchEvents));
    return spool_[sequence - 1];
  }
  std::deque<pb::ReportRequest> spool_;
};

TEST_F(Collector, LosesAndDoublesNothingWhenKilledUnderLoad) {
  Certificate certificate;
  ASSERT_TRUE(enrol(enrolment_, "sensord", certificate).ok());
  constexpr std::uint64_t kBatches = 1500;
  constexpr int kKills = 5;
  Producer producer;
  for (int kill = 0; kill < kKills; ++kill) {
    const std::uint64_t goal = producer.acknowledged + kBatches / 10;
    std::thread sender([&] { producer.send(channel(&certificate), kBatches); });
    while (producer.acknowledged < goal) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(daemon_.stop(SIGKILL), -SIGKILL);
    sender.join();
    const auto stored = count("SELECT COUNT(*) FROM events");
    EXPECT_GE(stored, static_cast<std::int64_t>(producer.acknowledged * Producer::kBatchEvents));
    daemon_.start();
  }
  while (!producer.send(channel(&certificate), kBatches)) {
  }
  EXPECT_EQ(count("SELECT COUNT(*) FROM events"),
            static_cast<std::int64_t>(kBatches * Producer::kBatchEvents));
  EXPECT_EQ(count("SELECT COUNT(DISTINCT id) FROM events"),
            static_cast<std::int64_t>(kBatches * Producer::kBatchEvents));
  EXPECT_EQ(count("SELECT value FROM counters WHERE name='events'"),
            static_cast<std::int64_t>(kBatches * Producer::kBatchEvents));
}

TEST_F(Collector, EndsCleanlyOnSigtermWithAStreamOpen) {
  Certificate certificate;
  ASSERT_TRUE(enrol(enrolment_, "sensord", certificate).ok());
  grpc::ClientContext context;
  const auto stub = pb::Ingest::NewStub(channel(&certificate));
  const auto stream = stub->Report(&context);
  pb::ReportReply reply;
  stream->Write(make_hello("p1"));
  ASSERT_TRUE(stream->Read(&reply));
  EXPECT_EQ(daemon_.stop(SIGTERM), 0);
  EXPECT_FALSE(stream->Read(&reply));
}

TEST_F(Collector, RefusesASecondOneOnTheSameState) {
  const auto [status, out] = daemon_.run({"--config", daemon_.config()});
  EXPECT_EQ(status, 1);
  EXPECT_THAT(daemon_.log(), HasSubstr("another aispm-collector"));
}

TEST_F(Collector, MakesTokensWhileItRuns) {
  const auto [status, token] =
      daemon_.run({"token", "create", "--role", "viewer", "--config", daemon_.config()});
  ASSERT_EQ(status, 0);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + token.substr(0, token.size() - 1));
  pb::Overview overview;
  EXPECT_TRUE(pb::Operator::NewStub(channel())->GetOverview(&context, {}, &overview).ok());
}

TEST_F(Collector, BootstrapsOnceAndKeepsItsCa) {
  const auto [status, made] = daemon_.run({"bootstrap", "--config", daemon_.config()});
  EXPECT_EQ(status, 0);
  EXPECT_EQ(made.find("admin_token"), std::string::npos);
  EXPECT_EQ(read_file(between(made, "\"ca_file\":\"", "\""), 1U << 16).value(), ca_);
}

TEST(CollectorConfig, IsRefusedWithFileAndLine) {
  Daemon daemon("nonsense: 1\n");
  EXPECT_EQ(daemon.run({"--check-config", "--config", daemon.config()}).first, 2);
  EXPECT_THAT(daemon.log(), HasSubstr("collector.yaml:6"));
  EXPECT_EQ(daemon.run({"--config", "/nonexistent.yaml"}).first, 2);
  EXPECT_EQ(daemon.run({"--nonsense"}).first, 2);
}

}  // namespace
}  // namespace aispm::collector::test
