// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/enrolment.hpp"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <mutex>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/report/grpc_error.hpp"
#include "sdk/core/report/host_facts.hpp"

namespace aispm::report {
namespace {

constexpr std::chrono::seconds kCallLimit{10};
constexpr int kPingMilliseconds = 10'000;  // no oftener than collectors allow
constexpr int kPingLimitMilliseconds = 5'000;

// gRPC checks a server against roots known beforehand; here only the root's fingerprint is known.
// So its own check is off and this one stands in: root by fingerprint, then signature, validity,
// purpose and host name of the leaf.
class PinnedCaVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  PinnedCaVerifier(std::string ca_fingerprint, std::string host)
      : ca_fingerprint_(std::move(ca_fingerprint)), host_(std::move(host)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* sync_status) override {
    const grpc::string_ref chain = request->peer_cert_full_chain();
    const auto checked = check(std::string(chain.data(), chain.size()));
    *sync_status = checked
                       ? grpc::Status::OK
                       : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, checked.error().message);
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  Result<> check(const std::string& chain_pem) const {
    AISPM_TRY(const std::vector<std::string> chain, pki::split_chain(chain_pem));
    for (const std::string& certificate : chain) {
      AISPM_TRY(const std::string fingerprint, pki::fingerprint(certificate));
      if (fingerprint == ca_fingerprint_)
        return pki::verify_server(chain.front(), certificate, host_);
    }
    return fail(Errc::kUnauthenticated,
                "the server shows no CA with the fingerprint of the enrolment token");
  }

  const std::string ca_fingerprint_;
  const std::string host_;
};

std::shared_ptr<grpc::ChannelCredentials> pinned_credentials(const std::string& ca_fingerprint,
                                                             const std::string& host) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      grpc::experimental::ExternalCertificateVerifier::Create<PinnedCaVerifier>(ca_fingerprint,
                                                                                host));
  return grpc::experimental::TlsCredentials(options);
}

grpc::ChannelArguments own_connection() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                   1);  // our backoff decides, not one shared in the process
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(64 << 20);  // all policies of a host are one message
  // A peer that fell silent is noticed: whoever only listens would wait for a freeze for ever.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingLimitMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

// Runs one call on this thread; `stop` cancels it.
template <typename Call>
Result<EnrolmentReply> run_call(const std::string& what, const std::stop_token& stop, Call call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  v1::EnrolReply reply;
  if (const grpc::Status status = call(context, reply); !status.ok())
    return fail(from_grpc(status, what));
  return EnrolmentReply{reply.certificate_pem(), reply.ca_pem()};
}

}  // namespace

Result<EnrolmentReply> enrol(const ReporterOptions& options, const EnrolmentToken& token,
                             const std::string& request_pem, const std::stop_token& stop) {
  AISPM_TRY(const std::string host, host_of(options.collector));
  const auto channel = grpc::CreateCustomChannel(
      options.collector, pinned_credentials(token.ca_fingerprint, host), own_connection());
  const auto stub = v1::Enrolment::NewStub(channel);
  const HostFacts facts = read_host_facts();
  v1::EnrolRequest request;
  request.set_token(token.text);
  request.set_certificate_request_pem(request_pem);
  request.set_component(options.component);
  request.set_hostname(facts.hostname);
  request.set_machine_id(facts.machine_id);
  AISPM_TRY(EnrolmentReply reply,
            run_call("enrol at " + options.collector, stop,
                     [&](grpc::ClientContext& context, v1::EnrolReply& answer) {
                       return stub->Enrol(&context, request, &answer);
                     }));
  AISPM_TRY(const std::string fingerprint, pki::fingerprint(reply.ca_pem));
  if (fingerprint != token.ca_fingerprint)
    return fail(Errc::kUnauthenticated,
                "enrol at " + options.collector + ": the reply holds another CA than the token");
  return reply;
}

Result<EnrolmentReply> renew(const ReporterOptions& options, const ClientCertificate& present,
                             const std::string& request_pem, const std::stop_token& stop) {
  const auto stub = v1::Enrolment::NewStub(open_channel(options, present));
  v1::RenewRequest request;
  request.set_certificate_request_pem(request_pem);
  return run_call("renew the certificate at " + options.collector, stop,
                  [&](grpc::ClientContext& context, v1::EnrolReply& answer) {
                    return stub->Renew(&context, request, &answer);
                  });
}

std::shared_ptr<grpc::Channel> open_channel(const ReporterOptions& options,
                                            const ClientCertificate& certificate) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = certificate.ca_pem;
  tls.pem_private_key = std::string(certificate.key_pem.expose());
  tls.pem_cert_chain = certificate.certificate_pem;
  return grpc::CreateCustomChannel(options.collector, grpc::SslCredentials(tls), own_connection());
}

}  // namespace aispm::report
