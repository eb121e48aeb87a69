// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "aispm/v1/api.pb.h"
#include "aispm/v1/redteam.pb.h"
#include "gateway/collector/api/assets.hpp"
#include "gateway/collector/api/openapi.hpp"
#include "gateway/collector/api/routes.hpp"
#include "gateway/collector/api/transcode.hpp"
#include "gateway/collector/embedded.hpp"
#include "sdk/core/common/file.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::api {
namespace {

using test::must;
using testing::HasSubstr;

const google::protobuf::ServiceDescriptor& service() {
  return *pb::Overview::descriptor()->file()->FindServiceByName("Operator");
}

const std::vector<Route>& routes() {
  static const std::vector<Route> all = must(read_routes(service()));
  return all;
}

template <typename Message>
Message read(const std::string& verb, const std::string& path, const std::string& query,
             const std::string& body = "") {
  const Match found = must(match(routes(), verb, path));
  const auto message = must(read_request(found, query, body));
  return *google::protobuf::DynamicCastToGenerated<Message>(message.get());
}

Error read_error(const std::string& verb, const std::string& path, const std::string& query,
                 const std::string& body = "") {
  const auto message = read_request(must(match(routes(), verb, path)), query, body);
  return message ? Error{Errc::kInternal, "was accepted", 0} : message.error();
}

TEST(Routes, CoverEveryMethodOnce) {
  EXPECT_EQ(static_cast<int>(routes().size()), service().method_count());
  std::set<std::string> seen;
  for (const Route& route : routes())
    EXPECT_TRUE(seen.insert(route.verb + " " + route.path).second) << route.path;
}

TEST(Routes, BindTheFieldsOfThePath) {
  EXPECT_EQ(read<pb::GetEventRequest>("GET", "/api/v1/events/a%20b", "").event_id(), "a b");
  EXPECT_EQ(read<pb::RevokeAgentKeyRequest>("DELETE", "/api/v1/agent-keys/k", "").key_id(), "k");
}

TEST(Routes, TellAStreamFromAField) {
  EXPECT_EQ(must(match(routes(), "GET", "/api/v1/events:stream")).route->method->name(),
            "StreamEvents");
  EXPECT_EQ(must(match(routes(), "GET", "/api/v1/events/x")).route->method->name(), "GetEvent");
}

TEST(Routes, RefuseUnknownPathsAndVerbs) {
  for (const char* path : {"/api/v1/nothing", "/api/v1/events/", "/api/v1/events/a/b", "/api/v1",
                           "/api/v1/events/%zz"})
    EXPECT_EQ(match(routes(), "GET", path).error().code, Errc::kNotFound) << path;
  EXPECT_EQ(match(routes(), "POST", "/api/v1/overview").error().code, Errc::kUnsupported);
}

TEST(Transcode, ReadsQueryParametersIntoTypedFields) {
  const auto request = read<pb::ListEventsRequest>(
      "GET", "/api/v1/events",
      "page_size=5&kind=llm_call&agentId=a%2Fb&after=2026-01-31T12:00:00Z&source=sdk&");
  EXPECT_EQ(request.page_size(), 5U);
  EXPECT_EQ(request.kind(), "llm_call");
  EXPECT_EQ(request.agent_id(), "a/b");
  EXPECT_EQ(request.after().seconds(), 1769860800);
  EXPECT_FALSE(request.has_before());
}

TEST(Transcode, RefusesWhatDoesNotFitTheField) {
  for (const char* query : {"page_size=-1", "page_size=4294967296", "page_size=", "after=yesterday",
                            "unknown=1", "kind=a&kind=b", "kind=%", "kind=%00", "kind=%ff"})
    EXPECT_EQ(read_error("GET", "/api/v1/events", query).code, Errc::kInvalid) << query;
}

TEST(Transcode, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(read_error("GET", "/api/v1/events", "after=x").message, HasSubstr("after"));
}

TEST(Transcode, ReadsJsonBodiesInBothSpellings) {
  for (const char* body : {R"({"agent_id":"bot","note":"n"})", R"({"agentId":"bot","note":"n"})"})
    EXPECT_EQ(read<pb::CreateAgentKeyRequest>("POST", "/api/v1/agent-keys", "", body).agent_id(),
              "bot");
  EXPECT_EQ(read<pb::CreateEnrolmentTokenRequest>("POST", "/api/v1/enrolment-tokens", "", "")
                .valid_seconds(),
            0U);
}

TEST(Transcode, RefusesBadBodies) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string(R"({"nope":1})"), std::string("\xff"),
        std::string(70000, ' '), std::string(20000, '[')})
    EXPECT_NE(read_error("POST", "/api/v1/agent-keys", "", body).code, Errc::kInternal)
        << body.substr(0, 20);
  EXPECT_EQ(read_error("GET", "/api/v1/events", "", "{}").code, Errc::kInvalid);
}

TEST(Transcode, PrintsSnakeCaseAndEveryScalar) {
  pb::Host host;
  host.set_host_id("h");
  const auto json = boost::json::parse(must(to_json(host))).as_object();
  EXPECT_EQ(json.at("host_id"), "h");
  EXPECT_EQ(json.at("events"), "0");
  EXPECT_EQ(json.at("connected"), false);
  EXPECT_FALSE(json.contains("first_seen"));
}

TEST(Transcode, GivesEveryErrorItsStatus) {
  const std::vector<std::pair<Errc, int>> table = {
      {Errc::kInvalid, 400},     {Errc::kUnauthenticated, 401}, {Errc::kDenied, 403},
      {Errc::kNotFound, 404},    {Errc::kExists, 409},          {Errc::kTooLarge, 413},
      {Errc::kExhausted, 429},   {Errc::kUnavailable, 503},     {Errc::kInternal, 500},
      {Errc::kUnsupported, 405}, {Errc::kDeadlineExceeded, 504}};
  for (const auto& [code, status] : table) {
    const ErrorReply reply = to_rest({code, "why \"quoted\"", 0});
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(boost::json::parse(reply.body).at("error").at("code").as_string(),
              std::string(name_of(code)).c_str());
  }
}

// Every reference inside the document leads somewhere.
void check_references(const boost::json::value& node, const boost::json::object& root) {
  if (const auto* const array = node.if_array())
    for (const auto& item : *array) check_references(item, root);
  const auto* const object = node.if_object();
  if (object == nullptr) return;
  for (const auto& [key, value] : *object) {
    if (key != "$ref") {
      check_references(value, root);
      continue;
    }
    boost::json::error_code error;
    EXPECT_NE(
        boost::json::value(root).find_pointer(std::string(value.as_string()).substr(1), error),
        nullptr)
        << value;
  }
}

TEST(OpenApi, DescribesEveryMethodWithItsCommentAndNoDanglingReference) {
  const auto document =
      boost::json::parse(must(make_openapi(embedded_descriptors().at(0).content, "1.2.3")))
          .as_object();
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  EXPECT_EQ(document.at("info").at("version"), "1.2.3");
  std::map<std::string, boost::json::object> operations;
  for (const auto& [path, item] : document.at("paths").as_object())
    for (const auto& [verb, operation] : item.as_object())
      operations[std::string(operation.at("operationId").as_string())] = operation.as_object();
  const auto& redteam = *pb::RedTeamRun::descriptor()->file()->FindServiceByName("RedTeam");
  EXPECT_EQ(static_cast<int>(operations.size()), service().method_count() + redteam.method_count());
  EXPECT_TRUE(operations.contains("StartRedTeam"));
  for (int i = 0; i < service().method_count(); ++i)
    EXPECT_TRUE(operations.contains(service().method(i)->name()));
  EXPECT_THAT(std::string(operations["RevokeAgentKey"].at("summary").as_string()),
              HasSubstr("within a second"));
  EXPECT_EQ(operations["RevokeAgentKey"].at("x-aispm-role"), "admin");
  check_references(document, document);
}

TEST(Assets, ServeFilesPagesAndNothingElse) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder.path() + "/assets");
  must(write_file_atomically(folder.path() + "/index.html", "<html>", 0644));
  must(write_file_atomically(folder.path() + "/assets/a-1.js", "x", 0644));
  const Assets assets = must(Assets::load(folder.path()));
  EXPECT_EQ(assets.find("/")->content, "<html>");
  EXPECT_EQ(assets.find("/sessions/42")->content, "<html>");
  EXPECT_EQ(assets.find("/assets/a-1.js")->type, "text/javascript; charset=utf-8");
  EXPECT_THAT(assets.find("/assets/a-1.js")->cache, HasSubstr("immutable"));
  EXPECT_EQ(assets.find("/")->cache, "no-cache");
  EXPECT_EQ(assets.find("/assets/other.js"), nullptr);
  EXPECT_EQ(assets.find("/../etc/passwd.txt"), nullptr);
}

TEST(Assets, RefuseAFolderWithoutADashboard) {
  const test::TempFolder folder;
  EXPECT_FALSE(Assets::load(folder.path()));
  EXPECT_FALSE(Assets::load(folder.path() + "/missing"));
}

}  // namespace
}  // namespace aispm::collector::api
