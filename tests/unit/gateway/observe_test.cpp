// SPDX-License-Identifier: Apache-2.0
// GW-035..037, GW-040, GW-055..057: figures, the scan API's words, refusals and the API document.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <random>
#include <set>
#include <thread>

#include "gateway/proxy/observe/api_document.hpp"
#include "gateway/proxy/observe/latency_histogram.hpp"
#include "gateway/proxy/observe/metrics_text.hpp"
#include "gateway/proxy/observe/otlp_encode.hpp"
#include "gateway/proxy/observe/scan_api.hpp"
#include "gateway/proxy/observe/scan_history.hpp"
#include "gateway/proxy/observe/work_watch.hpp"
#include "gateway/proxy/route.hpp"
#include "gateway/proxy/wire_error.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LatencyBuckets, HoldEveryValueWithinTheStatedError) {
  std::size_t before = 0;
  for (std::uint64_t value = 0; value < (1ULL << 33); value += 1 + value / 1000) {
    const std::size_t index = LatencyBuckets::index_of(value);
    ASSERT_GE(index, before);
    ASSERT_LT(index, LatencyBuckets::kCount);
    before = index;
    if (value >= (1ULL << 32)) continue;
    ASSERT_GE(LatencyBuckets::last_of(index), value);
    ASSERT_LE(static_cast<double>(LatencyBuckets::last_of(index) - value),
              static_cast<double>(value) * LatencyBuckets::kMaxRelativeError);
  }
}

TEST(LatencyTotals, GiveTheQuantilesOfWhatWasAdded) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(8, 2);
  LatencyHistogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::uint64_t>(latency(random)));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  LatencyTotals totals;
  histogram.read_into(totals);
  ASSERT_EQ(totals.count, values.size());
  for (const double share : {0.5, 0.95, 0.99, 1.0}) {
    const auto exact = values[static_cast<std::size_t>(share * 20'000) - 1];
    const auto told = totals.quantile_us(share);
    EXPECT_GE(told, exact);
    EXPECT_LE(static_cast<double>(told),
              static_cast<double>(exact) * (1 + LatencyBuckets::kMaxRelativeError));
  }
  EXPECT_EQ(totals.below_power(10),
            static_cast<std::uint64_t>(std::lower_bound(values.begin(), values.end(), 1024) -
                                       values.begin()));
  EXPECT_EQ(LatencyTotals().quantile_us(0.99), 0);
}

TEST(LatencyHistogram, IsReadWhileItsThreadAdds) {
  LatencyHistogram histogram;
  std::thread adder([&] {
    for (std::uint64_t i = 0; i < 100'000; ++i) histogram.add(i);
  });
  LatencyTotals before;
  histogram.read_into(before);
  adder.join();
  LatencyTotals after;
  histogram.read_into(after);
  EXPECT_EQ(after.count, 100'000);
  EXPECT_EQ(after.since(before).count, after.count - before.count);
}

ScanRecord record_of(const std::string& id, const std::string& agent, const std::string& action) {
  ScanRecord record;
  record.id = id;
  record.agent = agent;
  record.action = action;
  if (action == "block")
    record.threats = {{"secret", model::Severity::kHigh, 0.9, "secret.aws"},
                      {"prompt_injection", model::Severity::kCritical, 0.8, "injection.x"}};
  return record;
}

TEST(ScanHistory, TellsTheTotalOfAllPagesAndForgetsTheOldest) {
  ScanHistory history(100);
  for (int i = 0; i < 130; ++i)
    history.add(record_of("scan-" + std::to_string(i), "a", i % 2 == 0 ? "block" : "allow"));
  ScanFilter blocked;
  blocked.action = "block";
  blocked.offset = 48;
  blocked.limit = 10;
  const auto page = json::parse(history.list_scans(blocked));
  EXPECT_EQ(page.at("total").to_number<int>(), 50);
  EXPECT_EQ(page.at("forgotten").to_number<int>(), 30);
  ASSERT_EQ(page.at("scans").as_array().size(), 2);
  EXPECT_EQ(page.at("scans").at(1).at("scan_id").as_string(), "scan-30");
  ScanFilter secrets;
  secrets.type = "secret";
  secrets.limit = 3;
  const auto threats = json::parse(history.list_threats(secrets));
  EXPECT_EQ(threats.at("total").to_number<int>(), 50);
  EXPECT_EQ(threats.at("threats").as_array().size(), 3);
  EXPECT_EQ(threats.at("threats").at(0).at("scan_id").as_string(), "scan-128");
}

TEST(ScanHistory, ShowsAnAgentItsOwnOnly) {
  ScanHistory history(10);
  history.add(record_of("1", "a", "block"));
  history.add(record_of("2", "b", "block"));
  ScanFilter filter;
  filter.agent = "b";
  EXPECT_THAT(history.list_scans(filter), HasSubstr(R"("scan_id":"2")"));
  EXPECT_THAT(history.list_scans(filter), Not(HasSubstr(R"("scan_id":"1")")));
}

TEST(ScanFilter, NamesWhatIsWrong) {
  const auto filter = read_scan_filter("?limit=7&offset=3&type=pii&since_ms=1000", false);
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(filter->limit, 7);
  EXPECT_EQ(filter->since->nanoseconds, 1'000'000'000);
  for (const char* const wrong : {"limit=501", "limit=-1", "action=deny", "type=zebra", "tenant=x",
                                  "severity=bad", "scan_type=both", "rule=%4", "x"})
    EXPECT_FALSE(read_scan_filter(wrong, false)) << wrong;
  EXPECT_TRUE(read_scan_filter("tenant=x&agent=a%2Fb", true));
}

TEST(ReadScan, TakesContentContextAndPolicy) {
  const auto question = read_scan(
      R"({"content":"hello","context":{"surface":"tool_result","model":"m"},"policy_id":"strict"})",
      false);
  ASSERT_TRUE(question) << question.error().message;
  EXPECT_EQ(question->item.surface, detect::Surface::kToolResult);
  EXPECT_EQ(question->policy, "strict");
  for (const char* const wrong :
       {"", "[]", "{}", R"({"content":1})", R"({"content":"a","x":1})",
        R"({"content":"a","context":{"surface":"reply"}})",
        R"({"content":"a","context":{"x":"y"}})", R"({"content":"a","context":{"session_id":"1"}})",
        R"({"content":"a","policy_id":7})"})
    EXPECT_FALSE(read_scan(wrong, false)) << wrong;
  EXPECT_FALSE(read_scan(R"({"content":"a","context":{"surface":"prompt"}})", true));
}

// GW-056: one status and one word for each reason.
TEST(RefusalTable, HasAStatusAndACodeOfItsOwnForEachReason) {
  const std::vector<std::pair<RefusalKind, int>> table = {
      {RefusalKind::kPolicy, 400},          {RefusalKind::kBadRequest, 400},
      {RefusalKind::kUnauthenticated, 401}, {RefusalKind::kNotFound, 404},
      {RefusalKind::kMethod, 405},          {RefusalKind::kTimeout, 408},
      {RefusalKind::kTooLarge, 413},        {RefusalKind::kEncoding, 415},
      {RefusalKind::kHeaders, 431},         {RefusalKind::kUpstream, 502},
      {RefusalKind::kUnrecorded, 503},      {RefusalKind::kOverloaded, 503},
      {RefusalKind::kUpstreamTimeout, 504}, {RefusalKind::kNotReady, 503},
      {RefusalKind::kFrozen, 403},          {RefusalKind::kForbidden, 403},
      {RefusalKind::kRateLimited, 429},     {RefusalKind::kBudget, 429},
      {RefusalKind::kModel, 403},           {RefusalKind::kCircuitOpen, 503},
      {RefusalKind::kClientGone, 499}};
  std::set<std::string> codes;
  for (const auto& [kind, status] : table) {
    const Refusal refusal{.kind = kind, .message = "m", .decision = "deny", .case_id = "c"};
    EXPECT_EQ(status_of(kind), status);
    EXPECT_TRUE(codes.insert(code_of(refusal)).second) << code_of(refusal);
    for (const Dialect dialect : {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kOllama})
      EXPECT_TRUE(json::parse(error_body(dialect, refusal)).is_object());
  }
}

TEST(ApiDocument, ListsEveryRouteAndNoOther) {
  const json::value document = json::parse(openapi_document());
  std::set<std::string> said;
  for (const auto& path : document.at("paths").as_object())
    for (const auto& operation : path.value().as_object())
      said.insert(std::string(std::string_view(operation.key())) + " " +
                  std::string(std::string_view(path.key())));
  std::set<std::string> served;
  const auto lower = [](std::string_view method) {
    std::string word(method);
    for (char& c : word) c = static_cast<char>(c - 'A' + 'a');
    return word;
  };
  for (const RouteEntry& route : all_routes())
    served.insert(lower(route.method) + " " + std::string(route.path));
  for (const OperatorRoute& route : operator_routes())
    served.insert(lower(route.method) + " " + std::string(route.path));
  EXPECT_EQ(said, served);
}

TEST(AllRoutes, AreFoundAsTheyAreTold) {
  for (const RouteEntry& route : all_routes()) {
    std::string path(route.path);
    if (const auto open = path.find('{'); open != std::string::npos)
      path.replace(open, path.find('}') + 1 - open, "x");
    EXPECT_EQ(find_route(route.method, path, false).kind, route.kind) << path;
  }
  EXPECT_EQ(find_route("GET", "/api/v1/nothing", false).dialect, Dialect::kOpenAi);
  EXPECT_EQ(find_route("GET", "/api/pull", false).dialect, Dialect::kOllama);
}

MetricsView some_view() {
  MetricsView view;
  view.health.version = "1";
  view.health.counters["requests"] = 7;
  view.health.counters["open_connections"] = 2;
  view.health.features["odd"] = "a \"quoted\" \\ state";
  WorkerFigures figures;
  figures.exchanges[0].add(300);
  figures.exchanges[0].add(5'000'000);
  for (const std::uint64_t microseconds : {8, 11, 12, 128}) figures.own_work.add(microseconds);
  view.totals.add(figures);
  LatencyTotals of_api;
  figures.exchanges[0].read_into(of_api);
  view.by_api.emplace_back("openai.chat", of_api);
  view.figures.push_back(
      {.name = "breaker_open", .help = "Open.", .labels = {{"provider", "a"}}, .value = 1});
  view.figures.push_back({.name = "other", .help = "Other.", .value = 2.5});
  view.figures.push_back(
      {.name = "breaker_open", .help = "Open.", .labels = {{"provider", "b"}}, .value = 0});
  return view;
}

TEST(PrometheusText, HasCountersGaugesAndHistograms) {
  const std::string text = prometheus_text(some_view());
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE aispm_gateway_requests_total counter\naispm_gateway_requests_total 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE aispm_gateway_open_connections gauge\n"));
  EXPECT_THAT(text, HasSubstr(R"(state="a \"quoted\" \\ state")"));
  EXPECT_THAT(
      text,
      HasSubstr("aispm_gateway_exchange_seconds_bucket{api=\"openai.chat\",le=\"0.000256\"} 0\n"));
  EXPECT_THAT(
      text,
      HasSubstr("aispm_gateway_exchange_seconds_bucket{api=\"openai.chat\",le=\"0.000512\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("aispm_gateway_exchange_seconds_bucket{api=\"openai.chat\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("aispm_gateway_exchange_seconds_sum{api=\"openai.chat\"} 5.0003\n"));
  EXPECT_THAT(text, HasSubstr("aispm_gateway_own_work_seconds_bucket{le=\"8e-06\"} 1\n"
                              "aispm_gateway_own_work_seconds_bucket{le=\"1.1e-05\"} 2\n"
                              "aispm_gateway_own_work_seconds_bucket{le=\"1.5e-05\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("aispm_gateway_own_work_seconds_bucket{le=\"0.000127\"} 3\n"
                              "aispm_gateway_own_work_seconds_bucket{le=\"0.000255\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("aispm_gateway_own_work_seconds_sum 0.000159\n"));
  EXPECT_THAT(text, HasSubstr("aispm_gateway_breaker_open{provider=\"a\"} 1\n"
                              "aispm_gateway_breaker_open{provider=\"b\"} 0\n"));
}

TEST(WorkWatch, CountsNeitherPausesNorWhatIsNotMeasured) {
  WorkWatch idle;
  idle.go_on();
  EXPECT_FALSE(idle.is_on());
  EXPECT_EQ(idle.take_microseconds(), 0U);
  constexpr std::chrono::milliseconds kLong{20};
  WorkWatch watch;
  const auto before = WorkWatch::Clock::now();
  watch.start();
  std::this_thread::sleep_for(kLong);
  {
    const WorkWatch::Pause wait(watch);
    std::this_thread::sleep_for(kLong);
  }
  watch.pause();
  watch.pause();
  std::this_thread::sleep_for(kLong);
  watch.go_on();
  EXPECT_TRUE(watch.is_on());
  const auto taken = std::chrono::microseconds(watch.take_microseconds());
  EXPECT_FALSE(watch.is_on());
  EXPECT_GE(taken, kLong);
  EXPECT_LE(taken, WorkWatch::Clock::now() - before - 2 * kLong + std::chrono::microseconds(1));
}

TEST(SecurityMetrics, TellTheWindowApartFromTheWhole) {
  WorkerFigures figures;
  Observatory::Moment before;
  before.at = std::chrono::steady_clock::time_point(std::chrono::seconds(100));
  figures.exchanges[0].add(1'000);
  before.totals.add(figures);
  for (int i = 0; i < 9; ++i) figures.exchanges[1].add(100'000);
  figures.verdicts[static_cast<std::size_t>(ExchangeVerdict::kBlocked)].add(3);
  Observatory::Moment now;
  now.at = before.at + std::chrono::seconds(30);
  now.requests = 60;
  now.totals.add(figures);
  const auto told = json::parse(security_metrics_json(
      now, &before, std::chrono::steady_clock::time_point(std::chrono::seconds(0))));
  EXPECT_EQ(told.at("since_start").at("latency_ms").at("exchanges").at("count").to_number<int>(),
            10);
  const auto& window = told.at("window");
  EXPECT_EQ(window.at("latency_ms").at("exchanges").at("count").to_number<int>(), 9);
  EXPECT_NEAR(window.at("latency_ms").at("exchanges").at("p50").to_number<double>(), 100, 4);
  EXPECT_DOUBLE_EQ(window.at("rates_per_second").at("requests").to_number<double>(), 2);
  EXPECT_DOUBLE_EQ(window.at("rates_per_second").at("blocked").to_number<double>(), 0.1);
  EXPECT_TRUE(json::parse(security_metrics_json(now, nullptr, {})).at("window").is_null());
}

TEST(OtlpMetrics, KeepTheNumberOfSeriesBounded) {
  OtlpMetrics metrics(1);
  const auto add = [&](const std::string& model) {
    SpanRecord span;
    span.operation = "chat";
    span.request_model = model;
    span.end_ns = 2'000'000'000;
    span.input_tokens = 5;
    metrics.add(span);
  };
  for (std::size_t i = 0; i < 2 * OtlpMetrics::kMaxSeries; ++i) add("model-" + std::to_string(i));
  const std::string full = metrics.encode(2, {.host = "h", .version = "1"});
  EXPECT_THAT(full, HasSubstr("_other"));
  add("one-more");
  EXPECT_EQ(metrics.encode(2, {.host = "h", .version = "1"}).size(), full.size());
}

}  // namespace
}  // namespace aispm::gateway
