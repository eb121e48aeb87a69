// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/metrics_text.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <span>

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "aispm_gateway_";
// Of health's counters those that also fall.
constexpr std::array<std::string_view, 12> kGauges = {"open_connections",
                                                      "agent_keys",
                                                      "sticky_verdicts",
                                                      "mcp_sessions",
                                                      "policies",
                                                      "freezes",
                                                      "semantic_waiting",
                                                      "spooled_bytes",
                                                      "detection_engines",
                                                      "placeholder_sessions",
                                                      "compiled_packs_loaded",
                                                      "compiled_packs_made"};
// Bounds of histograms: 2^8 microseconds (0.256 ms) to 2^30 (18 minutes); bucket edges, so counts
// are exact.
constexpr unsigned kFirstPower = 8;
constexpr unsigned kLastPower = 30;
// Likewise those of the gateway's own work.
constexpr std::array<std::uint64_t, 12> kWorkBounds = {2,  4,  6,   8,   11,  15,
                                                       22, 31, 127, 255, 511, 1023};

std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? std::string(text.data(), end) : "0";
}

std::string metric_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    out.push_back(is_plain ? c : '_');
  }
  return out;
}

std::string label_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n')
      out += "\\n";
    else
      out.push_back(c);
  }
  return out;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

// All lines of a metric stand together, behind what it means.
class Exposition {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = std::string(kPrefix) + std::string(name);
    text_.append("# HELP ").append(name_).append(" ").append(help).append("\n# TYPE ");
    text_.append(name_).append(" ").append(type).append("\n");
  }
  void line(const Labels& labels, const std::string& value, std::string_view suffix = {}) {
    text_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [name, said] : labels) {
      text_.append(1, before).append(name).append("=\"").append(label_value(said)).append("\"");
      before = ',';
    }
    if (before == ',') text_.append("}");
    text_.append(" ").append(value).append("\n");
  }
  void one(std::string_view name, std::string_view type, std::string_view help,
           std::uint64_t value) {
    begin(name, type, help);
    line({}, std::to_string(value));
  }
  void histogram(const Labels& labels, const LatencyTotals& totals) {
    for (unsigned power = kFirstPower; power <= kLastPower; ++power)
      bucket(labels, 1ULL << power, totals.below_power(power));
    end_histogram(labels, totals);
  }
  // `bounds` in microseconds, of which each ends a bucket of LatencyBuckets.
  void histogram(const Labels& labels, const LatencyTotals& totals,
                 std::span<const std::uint64_t> bounds) {
    for (const std::uint64_t bound : bounds) bucket(labels, bound, totals.at_most(bound));
    end_histogram(labels, totals);
  }
  std::string take() { return std::move(text_); }

 private:
  static constexpr double kMicroseconds = 1e6;

  void bucket(const Labels& labels, std::uint64_t microseconds, std::uint64_t count) {
    Labels with = labels;
    with.emplace_back("le", number(static_cast<double>(microseconds) / kMicroseconds));
    line(with, std::to_string(count), "_bucket");
  }
  void end_histogram(const Labels& labels, const LatencyTotals& totals) {
    Labels with = labels;
    with.emplace_back("le", "+Inf");
    line(with, std::to_string(totals.count), "_bucket");
    line(labels, number(static_cast<double>(totals.sum_us) / kMicroseconds), "_sum");
    line(labels, std::to_string(totals.count), "_count");
  }
  std::string name_;
  std::string text_;
};

void add_health(const model::ComponentHealth& health, Exposition& out) {
  out.begin("info", "gauge", "The gateway's version.");
  out.line({{"version", health.version}}, "1");
  out.one("healthy", "gauge", "1: nothing is degraded.", health.state == "ok" ? 1 : 0);
  out.one("reasons", "gauge", "Reasons for being degraded, as /health names them.",
          health.reasons.size());
  for (const auto& [name, value] : health.counters) {
    const bool is_gauge = std::find(kGauges.begin(), kGauges.end(), name) != kGauges.end();
    out.one(metric_name(name) + (is_gauge ? "" : "_total"), is_gauge ? "gauge" : "counter",
            "As `" + name + "` of /health.", value);
  }
  out.begin("losses_total", "counter", "What could not be kept, by what it was.");
  for (const auto& [name, value] : health.losses) out.line({{"what", name}}, std::to_string(value));
  out.begin("state", "gauge", "States of parts, as features of /health.");
  for (const auto& [name, value] : health.features)
    out.line({{"part", name}, {"state", value.substr(0, 128)}}, "1");
}

void add_totals(const MetricsView& view, Exposition& out) {
  const FigureTotals& totals = view.totals;
  out.begin("verdicts_total", "counter", "Exchanges with models, by what became of them.");
  for (std::size_t i = 0; i < totals.verdicts.size(); ++i)
    out.line({{"verdict", std::string(name_of(static_cast<ExchangeVerdict>(i)))}},
             std::to_string(totals.verdicts[i]));
  out.begin("threats_total", "counter", "Detections in exchanges and scans, by category.");
  for (std::size_t i = 0; i < totals.threats.size(); ++i)
    out.line({{"category", std::string(detect::name_of(static_cast<detect::Category>(i)))}},
             std::to_string(totals.threats[i]));
  out.begin("replies_total", "counter", "Exchanges by status, in hundreds.");
  for (std::size_t i = 1; i < totals.statuses.size(); ++i)
    out.line({{"status", std::to_string(i) + "xx"}}, std::to_string(totals.statuses[i]));
  out.begin("tokens_total", "counter", "Tokens as providers told them.");
  out.line({{"kind", "input"}}, std::to_string(totals.input_tokens));
  out.line({{"kind", "output"}}, std::to_string(totals.output_tokens));
  out.begin("scan_actions_total", "counter", "Scans that were blocked or redacted.");
  out.line({{"action", "block"}}, std::to_string(totals.scans_blocked));
  out.line({{"action", "redact"}}, std::to_string(totals.scans_redacted));
  out.begin("exchange_seconds", "histogram", "From a request's head to the end of its reply.");
  for (const auto& [api, latencies] : view.by_api)
    out.histogram({{"api", std::string(api)}}, latencies);
  out.begin("upstream_first_byte_seconds", "histogram",
            "From asking a provider to the first byte of its reply.");
  out.histogram({}, totals.upstream);
  out.begin("provider_first_byte_seconds", "histogram",
            "The same by provider, as configured; since it is as it is now.");
  for (const auto& [provider, latencies] : view.by_provider)
    out.histogram({{"provider", provider}}, latencies);
  out.begin("own_work_seconds", "histogram",
            "What the gateway itself works on an exchange whose reply came whole, JSON included; "
            "without reading, writing and waits. Of one exchange in 16, in whole microseconds.");
  out.histogram({}, totals.own_work, kWorkBounds);
  out.begin("scan_seconds", "histogram", "Whole calls of the scan API.");
  out.histogram({}, totals.scans);
}

// Sources may give one metric in several lines, not together.
void add_figures(std::vector<Figure> figures, Exposition& out) {
  std::stable_sort(figures.begin(), figures.end(),
                   [](const Figure& a, const Figure& b) { return a.name < b.name; });
  std::string_view last;
  for (const Figure& figure : figures) {
    if (figure.name != last)
      out.begin(metric_name(figure.name), figure.is_total ? "counter" : "gauge", figure.help);
    last = figure.name;
    out.line(figure.labels, number(figure.value));
  }
}

double milliseconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1000.0;
}

json::object latencies_of(const LatencyTotals& totals) {
  return {
      {"count", totals.count},
      {"mean",
       totals.count == 0 ? 0.0 : milliseconds(totals.sum_us) / static_cast<double>(totals.count)},
      {"p50", milliseconds(totals.quantile_us(0.50))},
      {"p95", milliseconds(totals.quantile_us(0.95))},
      {"p99", milliseconds(totals.quantile_us(0.99))}};
}

double rate(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

template <std::size_t N>
std::array<std::uint64_t, N> difference(const std::array<std::uint64_t, N>& now,
                                        const std::array<std::uint64_t, N>& before) {
  std::array<std::uint64_t, N> rest{};
  for (std::size_t i = 0; i < N; ++i) rest[i] = now[i] - before[i];
  return rest;
}

FigureTotals since(const FigureTotals& now, const FigureTotals& before) {
  FigureTotals rest;
  rest.exchanges = now.exchanges.since(before.exchanges);
  rest.upstream = now.upstream.since(before.upstream);
  rest.scans = now.scans.since(before.scans);
  rest.own_work = now.own_work.since(before.own_work);
  rest.verdicts = difference(now.verdicts, before.verdicts);
  rest.threats = difference(now.threats, before.threats);
  rest.scans_blocked = now.scans_blocked - before.scans_blocked;
  rest.scans_redacted = now.scans_redacted - before.scans_redacted;
  rest.input_tokens = now.input_tokens - before.input_tokens;
  rest.output_tokens = now.output_tokens - before.output_tokens;
  return rest;
}

json::object describe(const FigureTotals& totals, std::uint64_t requests, double seconds) {
  json::object verdicts;
  for (std::size_t i = 0; i < totals.verdicts.size(); ++i)
    verdicts[name_of(static_cast<ExchangeVerdict>(i))] = totals.verdicts[i];
  json::object threats;
  std::uint64_t all_threats = 0;
  for (std::size_t i = 0; i < totals.threats.size(); ++i) {
    all_threats += totals.threats[i];
    if (totals.threats[i] != 0)
      threats[detect::name_of(static_cast<detect::Category>(i))] = totals.threats[i];
  }
  const std::uint64_t blocked =
      totals.verdicts[static_cast<std::size_t>(ExchangeVerdict::kBlocked)] + totals.scans_blocked;
  const std::uint64_t judged = totals.exchanges.count + totals.scans.count;
  return {
      {"seconds", seconds},
      {"requests", requests},
      {"exchanges", std::move(verdicts)},
      {"scans", json::object{{"total", totals.scans.count},
                             {"blocked", totals.scans_blocked},
                             {"redacted", totals.scans_redacted}}},
      {"threats", std::move(threats)},
      {"tokens", json::object{{"input", totals.input_tokens}, {"output", totals.output_tokens}}},
      {"rates_per_second", json::object{{"requests", rate(requests, seconds)},
                                        {"judged", rate(judged, seconds)},
                                        {"blocked", rate(blocked, seconds)},
                                        {"threats", rate(all_threats, seconds)}}},
      {"block_rate",
       judged == 0 ? 0.0 : static_cast<double>(blocked) / static_cast<double>(judged)},
      {"latency_ms", json::object{{"exchanges", latencies_of(totals.exchanges)},
                                  {"upstream_first_byte", latencies_of(totals.upstream)},
                                  {"own_work", latencies_of(totals.own_work)},
                                  {"scans", latencies_of(totals.scans)}}}};
}

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string prometheus_text(const MetricsView& view) {
  Exposition out;
  add_health(view.health, out);
  add_totals(view, out);
  add_figures(view.figures, out);
  return out.take();
}

std::string security_metrics_json(const Observatory::Moment& now, const Observatory::Moment* before,
                                  std::chrono::steady_clock::time_point started) {
  json::object out;
  out["since_start"] = describe(now.totals, now.requests, seconds_between(started, now.at));
  out["window"] = nullptr;
  if (before != nullptr)
    out["window"] = describe(since(now.totals, before->totals), now.requests - before->requests,
                             seconds_between(before->at, now.at));
  out["latency_max_relative_error"] = LatencyBuckets::kMaxRelativeError;
  return json::serialize(out);
}

}  // namespace aispm::gateway
