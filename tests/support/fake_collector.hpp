// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/pki.hpp"

namespace aispm::testing {

// A collector in this process: real gRPC, real TLS, a real CA; the store is a map. Everything it
// was told stays over stop() and start(), as with a restarted collector.
class FakeCollector final : public v1::Ingest::Service, public v1::Enrolment::Service {
 public:
  struct Producer {
    std::uint64_t acknowledged = 0;
    std::uint64_t batches = 0;
    std::uint64_t lost = 0;
    std::vector<std::uint64_t> sequences;
  };

  explicit FakeCollector(std::vector<std::string> names = {"127.0.0.1", "localhost"})
      : names_(std::move(names)) {
    make_ca();
    start();
  }
  ~FakeCollector() override { stop(); }

  // A new CA, as after the collector's state was deleted. Takes effect with the next start().
  void make_ca() {
    ca_key_ = pki::make_key().value();
    ca_pem_ = pki::make_ca(ca_key_, "fake collector", validity_of(3600)).value();
  }

  void start() {
    const Secret key = pki::make_key().value();
    const std::string leaf =
        pki::make_server_certificate(ca_key_, ca_pem_, key, names_, validity_of(3600)).value();
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = ca_pem_;
    tls.pem_key_cert_pairs = {{std::string(key.expose()), leaf + (shows_ca ? ca_pem_ : "")}};
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), grpc::SslServerCredentials(tls),
                             &port_);
    builder.RegisterService(static_cast<v1::Ingest::Service*>(this));
    builder.RegisterService(static_cast<v1::Enrolment::Service*>(this));
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    stopping_ = false;
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error("the fake collector cannot listen");
  }

  void stop() {
    if (!server_) return;
    {
      const std::scoped_lock guard(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  std::string make_token() {
    const std::scoped_lock guard(mutex_);
    const std::string token =
        "token-" + std::to_string(++tokens_made_) + "." + pki::fingerprint(ca_pem_).value();
    tokens_[token] = true;
    return token;
  }

  // Waits until `claim(*this)` holds under the lock; false after 20 s.
  template <typename Claim>
  bool wait(Claim claim) {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(20), [&] { return claim(*this); });
  }

  void set_keys(const std::vector<std::string>& agents) {
    const std::scoped_lock guard(mutex_);
    keys_.clear_keys();
    for (const std::string& agent : agents) {
      auto* const key = keys_.add_keys();
      key->set_key_id("id-" + agent);
      key->set_agent_id(agent);
      key->set_key_sha256(sha256_hex(agent));
      key->set_tenant("default");
    }
    keys_.set_version(keys_.version() + 1);
    changed_.notify_all();
  }

  // The orders of the one host; `version` grows.
  void set_orders(const std::vector<v1::Order>& orders) {
    const std::scoped_lock guard(mutex_);
    orders_.mutable_orders()->Assign(orders.begin(), orders.end());
    orders_.set_version(orders_.version() + 1);
    changed_.notify_all();
  }

  void set_policies(const std::vector<v1::PolicySnapshot::Assigned>& policies) {
    const std::scoped_lock guard(mutex_);
    policies_.mutable_policies()->Assign(policies.begin(), policies.end());
    policies_.set_version(policies_.version() + 1);
    changed_.notify_all();
  }
  void set_freezes(const std::vector<v1::Freeze>& freezes) {
    const std::scoped_lock guard(mutex_);
    freezes_.mutable_freezes()->Assign(freezes.begin(), freezes.end());
    freezes_.set_version(freezes_.version() + 1);
    changed_.notify_all();
  }

  // Read under wait() or while stopped.
  std::map<std::string, int> event_ids;  // how often each id came in a batch that was new
  std::map<std::string, Producer> producers;
  std::optional<v1::Hello> last_hello;
  std::optional<v1::EnrolRequest> last_enrolment;
  std::uint64_t enrolments = 0;
  std::uint64_t renewals = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t resent_batches = 0;
  std::string last_identity;
  std::optional<v1::AckOrdersRequest> last_ack;
  std::optional<v1::AckPoliciesRequest> last_policy_ack;
  std::optional<v1::AckFreezesRequest> last_freeze_ack;

  // Behaviour, set before start() or under wait().
  std::int64_t client_certificate_seconds = 3600;
  bool shows_ca = true;
  std::uint64_t break_after_batches =
      0;  // ends a call after so many batches, the last one without acknowledgement
  bool withhold_acks = false;
  bool refuse_reports = false;
  std::string wrong_component;
  std::uint64_t refused_acks = 0;  // so many acknowledgements of orders are refused

 private:
  static pki::Validity validity_of(std::int64_t seconds) {
    const std::int64_t now = wall_now().nanoseconds;
    return {{now - 2 * 1'000'000'000LL}, {now + seconds * 1'000'000'000LL}};
  }

  grpc::Status sign(const std::string& component, const std::string& request,
                    v1::EnrolReply* reply) {
    const auto signed_pem =
        pki::sign_client_request(ca_key_, ca_pem_, request, {"default", component, "host-1"},
                                 validity_of(client_certificate_seconds));
    if (!signed_pem) return {grpc::StatusCode::INVALID_ARGUMENT, signed_pem.error().message};
    reply->set_certificate_pem(*signed_pem);
    reply->set_ca_pem(ca_pem_);
    reply->set_host_id("host-1");
    return grpc::Status::OK;
  }

  grpc::Status Enrol(grpc::ServerContext*, const v1::EnrolRequest* request,
                     v1::EnrolReply* reply) override {
    const std::scoped_lock guard(mutex_);
    last_enrolment = *request;
    const auto token = tokens_.find(request->token());
    if (token == tokens_.end() || !token->second)
      return {grpc::StatusCode::UNAUTHENTICATED, "the enrolment token is unknown or used"};
    token->second = false;
    ++enrolments;
    changed_.notify_all();
    return sign(wrong_component.empty() ? request->component() : wrong_component,
                request->certificate_request_pem(), reply);
  }

  grpc::Status Renew(grpc::ServerContext* context, const v1::RenewRequest* request,
                     v1::EnrolReply* reply) override {
    const std::scoped_lock guard(mutex_);
    if (!context->auth_context()->IsPeerAuthenticated())
      return {grpc::StatusCode::UNAUTHENTICATED, "a client certificate is needed"};
    ++renewals;
    changed_.notify_all();
    return sign("sensord", request->certificate_request_pem(), reply);
  }

  grpc::Status Report(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ReportReply, v1::ReportRequest>* stream) override {
    if (!context->auth_context()->IsPeerAuthenticated() || refuse_reports)
      return {grpc::StatusCode::UNAUTHENTICATED, "a client certificate is needed"};
    v1::ReportRequest request;
    if (!stream->Read(&request) || !request.has_hello())
      return {grpc::StatusCode::INVALID_ARGUMENT, "the first message must be hello"};
    const std::string id = request.hello().producer_id();
    v1::ReportReply reply;
    {
      const std::scoped_lock guard(mutex_);
      last_hello = request.hello();
      const auto names = context->auth_context()->FindPropertyValues("x509_pem_cert");
      if (!names.empty())
        last_identity =
            pki::parse_identity(std::string(names[0].data(), names[0].size())).value().component;
      reply.mutable_hello()->set_acknowledged_sequence(producers[id].acknowledged);
      reply.mutable_hello()->set_host_id("host-1");
      changed_.notify_all();
    }
    stream->Write(reply);
    for (std::uint64_t count = 1; stream->Read(&request); ++count) {
      if (!request.has_batch()) return {grpc::StatusCode::INVALID_ARGUMENT, "a batch was expected"};
      accept(id, request.batch());
      if (count == break_after_batches) return {grpc::StatusCode::UNAVAILABLE, "broken on purpose"};
      if (withhold_acks) continue;
      reply.mutable_ack()->set_sequence(request.batch().sequence());
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }

  void accept(const std::string& id, const v1::EventBatch& batch) {
    const std::scoped_lock guard(mutex_);
    Producer& producer = producers[id];
    ++producer.batches;
    if (batch.sequence() <= producer.acknowledged) {
      ++resent_batches;
    } else {
      if (batch.sequence() != producer.acknowledged + 1 && batch.lost_before() == 0) ++out_of_order;
      producer.acknowledged = batch.sequence();
      producer.lost += batch.lost_before();
      producer.sequences.push_back(batch.sequence());
      for (const auto& event : batch.events())
        if (++event_ids[event.id()] > 1) ++duplicates;
    }
    changed_.notify_all();
  }

  grpc::Status WatchAgentKeys(grpc::ServerContext* context, const v1::WatchAgentKeysRequest*,
                              grpc::ServerWriter<v1::AgentKeySnapshot>* writer) override {
    return show(*context, keys_, *writer);
  }

  grpc::Status WatchOrders(grpc::ServerContext* context, const v1::WatchOrdersRequest*,
                           grpc::ServerWriter<v1::OrderSnapshot>* writer) override {
    return show(*context, orders_, *writer);
  }

  grpc::Status AckOrders(grpc::ServerContext*, const v1::AckOrdersRequest* request,
                         v1::AckOrdersReply*) override {
    const std::scoped_lock guard(mutex_);
    if (refused_acks > 0) {
      --refused_acks;
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "refused on purpose"};
    }
    last_ack = *request;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  grpc::Status WatchPolicies(grpc::ServerContext* context, const v1::WatchPoliciesRequest*,
                             grpc::ServerWriter<v1::PolicySnapshot>* writer) override {
    return show(*context, policies_, *writer);
  }
  grpc::Status AckPolicies(grpc::ServerContext*, const v1::AckPoliciesRequest* request,
                           v1::AckPoliciesReply*) override {
    const std::scoped_lock guard(mutex_);
    last_policy_ack = *request;
    changed_.notify_all();
    return grpc::Status::OK;
  }
  grpc::Status WatchFreezes(grpc::ServerContext* context, const v1::WatchFreezesRequest*,
                            grpc::ServerWriter<v1::FreezeSnapshot>* writer) override {
    return show(*context, freezes_, *writer);
  }
  grpc::Status AckFreezes(grpc::ServerContext*, const v1::AckFreezesRequest* request,
                          v1::AckFreezesReply*) override {
    const std::scoped_lock guard(mutex_);
    last_freeze_ack = *request;
    changed_.notify_all();
    return grpc::Status::OK;
  }

  // Writes `from` (guarded by the mutex) and each change of it until the call ends.
  template <typename Snapshot>
  grpc::Status show(grpc::ServerContext& context, const Snapshot& from,
                    grpc::ServerWriter<Snapshot>& writer) {
    if (!context.auth_context()->IsPeerAuthenticated())
      return {grpc::StatusCode::UNAUTHENTICATED, "a client certificate is needed"};
    std::uint64_t sent = UINT64_MAX;
    while (!context.IsCancelled()) {
      Snapshot snapshot;
      {
        std::unique_lock guard(mutex_);
        changed_.wait_for(guard, std::chrono::milliseconds(50),
                          [&] { return stopping_ || from.version() != sent; });
        if (stopping_) return {grpc::StatusCode::UNAVAILABLE, "stopping"};
        if (from.version() == sent) continue;
        snapshot = from;
      }
      if (!writer.Write(snapshot)) break;
      sent = snapshot.version();
    }
    return grpc::Status::OK;
  }

  const std::vector<std::string> names_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Secret ca_key_;
  std::string ca_pem_;
  std::map<std::string, bool> tokens_;
  int tokens_made_ = 0;
  v1::AgentKeySnapshot keys_;
  v1::OrderSnapshot orders_;
  v1::PolicySnapshot policies_;
  v1::FreezeSnapshot freezes_;
  bool stopping_ = false;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace aispm::testing
