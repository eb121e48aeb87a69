// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/client.hpp"

#include "sdk/cli/text.hpp"

namespace aispm::cli {

Result<Client> Client::open(Settings settings) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = settings.ca_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(64 << 20);  // a page or story is at most half of that
  auto channel =
      grpc::CreateCustomChannel(settings.collector, grpc::SslCredentials(tls), arguments);
  return Client(std::move(settings), v1::Operator::NewStub(channel));
}

void Client::prepare(grpc::ClientContext& context) const {
  context.AddMetadata("authorization", "Bearer " + std::string(settings_.token.expose()));
}

Error Client::explain(const grpc::Status& status) const {
  const std::string where = "collector " + settings_.collector + ": ";
  const std::string words = safe(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {
          Errc::kUnavailable,
          where + "not reachable (" + words + "); is it running, and is this its address and CA?",
          0};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Errc::kDeadlineExceeded,
              where + "no answer within " + std::to_string(kCallLimit.count()) + " s", 0};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {Errc::kUnauthenticated,
              where + words + "; check the token (`aispm-collector token create` makes one)", 0};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {Errc::kDenied, where + words + "; the token's role does not allow this", 0};
    case grpc::StatusCode::NOT_FOUND:
      return {Errc::kNotFound, words, 0};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {Errc::kInvalid, words, 0};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Errc::kUnsupported, where + "does not know this call; it is of another version", 0};
    default:
      return {Errc::kUnavailable, where + words, 0};
  }
}

Result<> Client::follow(const v1::StreamEventsRequest& request,
                        const std::function<bool(const v1::Event&)>& take) {
  grpc::ClientContext context;
  prepare(context);
  const auto reader = stub_->StreamEvents(&context, request);
  v1::Event event;
  while (reader->Read(&event)) {
    if (take(event)) continue;
    context.TryCancel();
    (void)reader->Finish();
    return {};
  }
  const grpc::Status status = reader->Finish();
  if (status.ok())
    return fail(Errc::kUnavailable, "collector " + settings_.collector + ": ended the stream");
  return fail(explain(status));
}

}  // namespace aispm::cli
