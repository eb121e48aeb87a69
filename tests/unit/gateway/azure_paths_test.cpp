// SPDX-License-Identifier: Apache-2.0
// Clients that speak to Azure: deployments in the path, a version in the query, the key in api-key.
#include <gmock/gmock.h>

#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {
namespace {

struct Path {
  const char* method;
  const char* target;
  RouteKind kind;
};

class AzurePaths : public ::testing::TestWithParam<Path> {};
TEST_P(AzurePaths, AreTheseAndNoOthers) {
  EXPECT_EQ(find_route(GetParam().method, GetParam().target, false).kind, GetParam().kind);
}
INSTANTIATE_TEST_SUITE_P(
    Table, AzurePaths,
    ::testing::Values(
        Path{"POST", "/openai/deployments/d/completions", RouteKind::kLlm},
        Path{"POST", "/openai/deployments/d/chat/completions?api-version=2024-10-21",
             RouteKind::kLlm},
        Path{"POST", "/openai/deployments/d/embeddings", RouteKind::kLlm},
        Path{"POST", "/openai/deployments/meta-llama/L-3/chat/completions", RouteKind::kLlm},
        Path{"GET", "/openai/deployments/d/chat/completions", RouteKind::kBadMethod},
        Path{"POST", "/openai/deployments/d/images/generations", RouteKind::kNotFound},
        Path{"POST", "/openai/deployments//chat/completions", RouteKind::kNotFound},
        Path{"POST", "/openai/deployments/../chat/completions", RouteKind::kNotFound},
        Path{"POST", "/openai/deployments/a%2Fb/chat/completions", RouteKind::kLlm},
        Path{"POST", "/openai/deployments/a%20b/chat/completions", RouteKind::kNotFound},
        Path{"POST", "/openai/deployments/a%2F..%2Fb/chat/completions", RouteKind::kNotFound},
        Path{"POST", "/openai/responses?api-version=2025-03-01-preview", RouteKind::kLlm},
        Path{"GET", "/openai/models?api-version=2024-10-21", RouteKind::kModels},
        Path{"POST", "/v1/chat/completions?api-version=preview", RouteKind::kLlm},
        Path{"POST", "/v1/chat/completions?api-version=a%20b", RouteKind::kBadQuery},
        Path{"POST", "/v1/chat/completions?api-version=1&x=y", RouteKind::kBadQuery},
        Path{"POST", "/v1/messages?api-version=1", RouteKind::kBadQuery}));

TEST(FoundRoute, OfAzureIsOpenAisWithTheDeploymentAsItsModel) {
  const Route route =
      find_route("POST", "/openai/deployments/a/b-4/embeddings?api-version=2024-10-21", false);
  EXPECT_EQ(route.api, codec::Api::kOpenAiEmbeddings);
  EXPECT_EQ(route.dialect, Dialect::kOpenAi);
  EXPECT_EQ(route.path, "/v1/embeddings");
  EXPECT_EQ(route.model, "a/b-4");
  EXPECT_EQ(route.query, "");
  EXPECT_EQ(find_route("POST", "/openai/deployments/d/completions", false).path, "/v1/completions");
  EXPECT_EQ(model_in_path("org%2Fa%2fb/c-4"), "org/a/b/c-4");
  EXPECT_EQ(find_route("POST", "/openai/responses", false).path, "/v1/responses");
  EXPECT_EQ(find_route("GET", "/v1/models?api-version=1", false).query, "");
  EXPECT_EQ(find_route("GET", "/v1/models?limit=1", false).query, "?limit=1");
}

std::string key_of(const std::string& headers) {
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
  const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
  const auto head = parser.parse(text);
  EXPECT_TRUE(head && *head);
  return std::string(presented_key(**head));
}

TEST(PresentedKey, ComesFromAzuresHeaderButNotBesideAnother) {
  EXPECT_EQ(key_of("Api-Key: k\r\n"), "k");
  EXPECT_EQ(key_of("Api-Key: k\r\nAuthorization: Bearer k\r\n"), "k");
  for (const char* const other : {"X-Api-Key", "X-Goog-Api-Key"})
    EXPECT_EQ(key_of("Api-Key: k\r\n" + std::string(other) + ": other\r\n"), "");
  EXPECT_EQ(key_of("Api-Key: k\r\nAuthorization: Bearer other\r\n"), "");
}

}  // namespace
}  // namespace aispm::gateway
