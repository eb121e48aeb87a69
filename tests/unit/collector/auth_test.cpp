// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <future>

#include "gateway/collector/api/grpc_operator.hpp"
#include "gateway/collector/api/http_front.hpp"
#include "gateway/collector/api/openapi.hpp"
#include "gateway/collector/embedded.hpp"
#include "tests/unit/collector/support.hpp"

// Walks every route of the API with every kind of token, over REST and over gRPC, from the
// descriptors: a new method is covered as soon as it is in the .proto file.
namespace aispm::collector::api {
namespace {

using test::must;

class Reply : public net::HttpReply {
 public:
  void send(net::HttpResponse response) override { promise_.set_value(std::move(response)); }
  void start_stream(net::HttpResponse response) override {
    promise_.set_value(std::move(response));
  }
  bool write(std::string) override { return true; }
  void finish() override {}
  net::HttpResponse wait() { return promise_.get_future().get(); }

 private:
  std::promise<net::HttpResponse> promise_;
};

class Auth : public testing::Test {
 protected:
  Auth()
      : writer_(Writer::start(
            must(store::EventWriter::open(must(store::Database::open(bench_.path())))), feed_, {},
            wall_now)),
        workers_(must(Workers::start(bench_.path(), "default", 2))),
        urgent_(must(Workers::start(bench_.path(), "default", 1))),
        handlers_(must(Operator::make({*writer_, feed_, links_, key_changes_, order_changes_,
                                       approvals_, wall_now, "f00d", "0", 30, control_}))),
        front_(*handlers_, *workers_, *urgent_, approvals_, must(Assets::load("")),
               must(make_openapi(embedded_descriptors().at(0).content, "0"))) {
    for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin})
      tokens_[role] =
          std::string(must(bench_.registry().create_token(role, "", wall_now())).expose());
  }

  net::HttpResponse http(const std::string& verb, const std::string& target,
                         const std::string& token) {
    net::HttpRequest request;
    request.method = verb;
    request.target = target;
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    const auto reply = std::make_shared<Reply>();
    front_.handle(request, reply);
    return reply->wait();
  }

  test::Bench bench_;
  Feed feed_;
  Links links_;
  KeyChanges key_changes_;
  OrderChanges order_changes_;
  Control control_;
  Approvals approvals_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Workers> urgent_;
  std::unique_ptr<Operator> handlers_;
  HttpFront front_;
  std::map<Role, std::string> tokens_;
};

std::string path_of(const Route& route) {
  std::string path;
  for (const Segment& segment : route.segments)
    path += "/" + (segment.is_field ? std::string("x") : segment.text);
  return path;
}

TEST_F(Auth, RestRefusesEveryRouteWithoutAGoodToken) {
  for (const Route& route : handlers_->routes())
    for (const std::string& token :
         {std::string(), std::string("guess"), tokens_[Role::kAdmin] + "x"})
      EXPECT_EQ(http(route.verb, path_of(route), token).status, 401) << route.path;
}

TEST_F(Auth, RestLetsEachRoleDoWhatItMayAndNoMore) {
  for (const Route& route : handlers_->routes())
    for (const auto& [role, token] : tokens_) {
      const int status = http(route.verb, path_of(route), token).status;
      if (role < route.role)
        EXPECT_EQ(status, 403) << route.path;
      else
        EXPECT_TRUE(status != 401 && status != 403 && status < 500) << route.path << " " << status;
    }
}

TEST_F(Auth, AFreezeWaitsForNobodysSearch) {
  std::promise<void> over;
  const std::shared_future<void> done = over.get_future();
  for (int i = 0; i < 2; ++i)  // every thread for other calls
    must(workers_->post([done](Desk&) { done.wait(); }));
  EXPECT_EQ(http("POST", "/api/v1/freezes", tokens_[Role::kAdmin]).status, 400);  // answered
  over.set_value();
}

TEST_F(Auth, RestTellsNobodyWithoutATokenWhichPathsExist) {
  EXPECT_EQ(http("GET", "/api/v1/nothing", "").status, 401);
  EXPECT_EQ(http("GET", "/api", "").status, 401);
  EXPECT_EQ(http("GET", "/openapi.json", "").status, 401);
  EXPECT_EQ(http("GET", "/api/v1/nothing", tokens_[Role::kViewer]).status, 404);
  EXPECT_EQ(http("GET", "/openapi.json", tokens_[Role::kViewer]).status, 200);
}

TEST_F(Auth, RestRefusesOtherSchemes) {
  net::HttpRequest request;
  request.method = "GET";
  request.target = "/api/v1/overview";
  request.headers = {{"authorization", "Basic " + tokens_[Role::kAdmin]}};
  const auto reply = std::make_shared<Reply>();
  front_.handle(request, reply);
  EXPECT_EQ(reply->wait().status, 401);
}

TEST_F(Auth, OnlyHealthAndTheDashboardAreOpen) {
  const auto health = http("GET", "/healthz", "");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, R"({"status":"ok"})");
  const auto page = http("GET", "/", "");
  EXPECT_EQ(page.status, 200);
  bool has_policy = false;
  for (const auto& [name, value] : page.headers)
    has_policy = has_policy || (name == "content-security-policy" &&
                                value.find("script-src 'self'") != std::string::npos &&
                                value.find("frame-ancestors 'none'") != std::string::npos);
  EXPECT_TRUE(has_policy);
}

// One unary or streaming call with an empty request, by name alone.
grpc::StatusCode call(const std::shared_ptr<grpc::Channel>& channel,
                      const google::protobuf::MethodDescriptor& method, const std::string& token) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  // An accepted subscription goes on for ever, until this ends it; a refusal comes at once.
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(method.server_streaming() ? 1 : 10));
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  grpc::CompletionQueue queue;
  const std::string path = "/" + method.service()->full_name() + "/" + method.name();
  auto stream = stub.PrepareCall(&context, path, &queue);
  void* tag = nullptr;
  bool ok = false;
  stream->StartCall(nullptr);
  queue.Next(&tag, &ok);
  const grpc::Slice nothing("");
  stream->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), nullptr);
  queue.Next(&tag, &ok);
  stream->ReadInitialMetadata(nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer reply;
  stream->Read(&reply, nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  stream->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  const bool is_subscribed =
      method.server_streaming() && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return is_subscribed ? grpc::StatusCode::OK : status.error_code();
}

TEST_F(Auth, GrpcLetsEachRoleDoWhatItMayAndNoMore) {
  const auto service = make_operator_service(*handlers_, *workers_, *urgent_);
  grpc::ServerBuilder builder;
  builder.RegisterService(service.get());
  const auto server = builder.BuildAndStart();
  const auto channel = server->InProcessChannel({});
  for (const Route& route : handlers_->routes()) {
    for (const std::string& token : {std::string(), std::string("guess")})
      EXPECT_EQ(call(channel, *route.method, token), grpc::StatusCode::UNAUTHENTICATED)
          << route.path;
    for (const auto& [role, token] : tokens_) {
      const auto code = call(channel, *route.method, token);
      if (role < route.role)
        EXPECT_EQ(code, grpc::StatusCode::PERMISSION_DENIED) << route.path;
      else
        EXPECT_THAT(code, testing::AllOf(testing::Ne(grpc::StatusCode::PERMISSION_DENIED),
                                         testing::Ne(grpc::StatusCode::UNAUTHENTICATED),
                                         testing::Ne(grpc::StatusCode::UNIMPLEMENTED),
                                         testing::Ne(grpc::StatusCode::INTERNAL),
                                         testing::Ne(grpc::StatusCode::DEADLINE_EXCEEDED)))
            << route.path;
    }
  }
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
}

}  // namespace
}  // namespace aispm::collector::api
