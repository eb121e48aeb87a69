// SPDX-License-Identifier: Apache-2.0
#include "aispm/v1/ingest.grpc.pb.h"
#include "gateway/collector/authority.hpp"
#include "gateway/collector/grpc_status.hpp"
#include "gateway/collector/ingest/accept.hpp"
#include "gateway/collector/ingest/peer.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector {
namespace {

Result<pb::EnrolReply> enrol(const IngestSurroundings& surroundings, Desk& desk,
                             const pb::EnrolRequest& request) {
  const Authority& authority = surroundings.authority;
  const WallTime now = surroundings.clock();
  AISPM_TRY(const auto enrolled, desk.registry.enrol(request, now, [&](const std::string& host_id) {
    return authority.sign(request.certificate_request_pem(),
                          {surroundings.tenant, request.component(), host_id}, now);
  }));
  log::info("enrol.done", {{"host_id", enrolled.host_id},
                           {"component", request.component()},
                           {"hostname", request.hostname()}});
  pb::EnrolReply reply;
  reply.set_certificate_pem(enrolled.certificate_pem);
  reply.set_ca_pem(authority.ca_pem());
  reply.set_host_id(enrolled.host_id);
  return reply;
}

// The new certificate says what the present one says.
Result<pb::EnrolReply> renew(const IngestSurroundings& surroundings, const pki::Identity& identity,
                             const pb::RenewRequest& request) {
  pb::EnrolReply reply;
  AISPM_TRY(*reply.mutable_certificate_pem(),
            surroundings.authority.sign(request.certificate_request_pem(), identity,
                                        surroundings.clock()));
  reply.set_ca_pem(surroundings.authority.ca_pem());
  reply.set_host_id(identity.host_id);
  log::info("enrol.renewed", {{"host_id", identity.host_id}, {"component", identity.component}});
  return reply;
}

class EnrolmentService final : public pb::Enrolment::CallbackService {
 public:
  explicit EnrolmentService(IngestSurroundings surroundings)
      : surroundings_(std::move(surroundings)) {}

  grpc::ServerUnaryReactor* Enrol(grpc::CallbackServerContext* context,
                                  const pb::EnrolRequest* request, pb::EnrolReply* reply) override {
    auto* const reactor = context->DefaultReactor();
    auto posted = surroundings_.workers.post([this, reactor, request, reply](Desk& desk) {
      finish(reactor, enrol(surroundings_, desk, *request), reply);
    });
    if (!posted) reactor->Finish(to_grpc(posted.error()));
    return reactor;
  }

  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const pb::RenewRequest* request, pb::EnrolReply* reply) override {
    auto* const reactor = context->DefaultReactor();
    auto identity = identify(*context, surroundings_.tenant);
    if (!identity) {
      reactor->Finish(to_grpc(identity.error()));
      return reactor;
    }
    auto posted = surroundings_.workers.post(
        [this, reactor, request, reply, who = std::move(*identity)](Desk&) {
          finish(reactor, renew(surroundings_, who, *request), reply);
        });
    if (!posted) reactor->Finish(to_grpc(posted.error()));
    return reactor;
  }

 private:
  static void finish(grpc::ServerUnaryReactor* reactor, Result<pb::EnrolReply> result,
                     pb::EnrolReply* reply) {
    if (!result) {
      log::warn("enrol.refused", {{"reason", result.error().message}});
      return reactor->Finish(to_grpc(result.error()));
    }
    *reply = std::move(*result);
    reactor->Finish(grpc::Status::OK);
  }

  const IngestSurroundings surroundings_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_enrolment_service(IngestSurroundings surroundings) {
  return std::make_unique<EnrolmentService>(std::move(surroundings));
}

}  // namespace aispm::collector
