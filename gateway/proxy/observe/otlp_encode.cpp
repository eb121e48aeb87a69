// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/otlp_encode.hpp"

#include <algorithm>
#include <charconv>

#include "gateway/proxy/observe/proto_writer.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;

constexpr std::uint64_t kSpanKindInternal = 1;
constexpr std::uint64_t kSpanKindClient = 3;
constexpr std::uint64_t kStatusError = 2;
constexpr std::uint64_t kCumulative = 2;
constexpr double kMicroseconds = 1e6;
constexpr double kNanoseconds = 1e9;

// As the conventions ask for them.
constexpr std::array<double, 14> kSeconds = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                             1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr std::array<double, 14> kTokens = {
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};

constexpr std::string_view kMcpDuration = "mcp.client.operation.duration";
constexpr std::string_view kDuration = "gen_ai.client.operation.duration";
constexpr std::string_view kFirstChunk = "gen_ai.client.operation.time_to_first_chunk";
constexpr std::string_view kTokenUsage = "gen_ai.client.token.usage";

std::string_view operation_of(Api api) {
  switch (api) {
    case Api::kOpenAiEmbeddings:
    case Api::kGeminiEmbed:
    case Api::kOllamaEmbed:
      return "embeddings";
    case Api::kOpenAiCompletions:
    case Api::kOllamaGenerate:
    case Api::kLlamaCppCompletion:
      return "text_completion";
    case Api::kGeminiGenerate:
      return "generate_content";
    // The conventions have no word for these: their own then.
    case Api::kOpenAiModerations:
      return "moderations";
    case Api::kAnthropicCountTokens:
    case Api::kGeminiCountTokens:
      return "count_tokens";
    default:
      return "chat";
  }
}

// The conventions' words where ours differ.
std::string provider_word(const std::string& name) {
  if (name == "gemini" || name == "google") return "gcp.gemini";
  if (name == "bedrock") return "aws.bedrock";
  if (name == "azure") return "azure.ai.openai";
  return name;
}

int hex_value(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// Lower-case hex digits of an id; "" for what is none.
std::string unhex(std::string_view hex) {
  std::string bytes;
  if (hex.size() % 2 != 0 || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(hex_value(hex[i]) * 16 + hex_value(hex[i + 1])));
  return bytes;
}

// KeyValues of one message.
class Attributes {
 public:
  Attributes(ProtoWriter& out, std::uint32_t field) : out_(out), field_(field) {}
  // Empty ones are left out.
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    ProtoWriter any;
    any.text(1, value);
    add(key, any);
  }
  void flag(std::string_view key, bool value) {
    ProtoWriter any;
    any.number(2, value ? 1 : 0);
    add(key, any);
  }
  void whole(std::string_view key, std::uint64_t value) {
    ProtoWriter any;
    any.number(3, value);
    add(key, any);
  }
  void real(std::string_view key, double value) {
    ProtoWriter any;
    any.real(4, value);
    add(key, any);
  }
  void list(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    ProtoWriter element;
    element.text(1, value);
    ProtoWriter array;
    array.message(1, element);
    ProtoWriter any;
    any.message(5, array);
    add(key, any);
  }

 private:
  void add(std::string_view key, const ProtoWriter& any) {
    ProtoWriter pair;
    pair.text(1, key);
    pair.message(2, any);
    out_.message(field_, pair);
  }
  ProtoWriter& out_;
  std::uint32_t field_;
};

void add_server(Attributes& attributes, std::string_view authority) {
  const auto colon = authority.rfind(':');
  std::uint64_t port = 0;
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos &&
      std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port).ec ==
          std::errc{};
  attributes.text("server.address", has_port ? authority.substr(0, colon) : authority);
  if (has_port) attributes.whole("server.port", port);
}

std::string name_of_span(const SpanRecord& span) {
  if (span.kind == SpanRecord::Kind::kMcp)
    return span.target.empty() ? span.method : span.method + " " + span.target;
  if (span.kind == SpanRecord::Kind::kScan) return span.operation + " " + span.method;
  return span.request_model.empty() ? span.operation : span.operation + " " + span.request_model;
}

void add_model(const SpanRecord& span, Attributes& attributes) {
  attributes.text("gen_ai.provider.name", span.provider);
  attributes.text("gen_ai.request.model", span.request_model);
  attributes.flag("gen_ai.request.stream", span.stream);
  attributes.text("gen_ai.response.model", span.response_model);
  attributes.text("gen_ai.response.id", span.response_id);
  attributes.list("gen_ai.response.finish_reasons", span.finish_reason);
  if (span.input_tokens != 0) attributes.whole("gen_ai.usage.input_tokens", span.input_tokens);
  if (span.output_tokens != 0) attributes.whole("gen_ai.usage.output_tokens", span.output_tokens);
  if (span.first_chunk_us != 0)
    attributes.real("gen_ai.response.time_to_first_chunk",
                    static_cast<double>(span.first_chunk_us) / kMicroseconds);
  attributes.whole("http.response.status_code", span.status);
}

void add_mcp(const SpanRecord& span, Attributes& attributes) {
  attributes.text("mcp.method.name", span.method);
  if (span.method == "tools/call") attributes.text("gen_ai.tool.name", span.target);
  if (span.method == "prompts/get") attributes.text("gen_ai.prompt.name", span.target);
}

ProtoWriter encode_span(const SpanRecord& span) {
  ProtoWriter out;
  out.text(1, unhex(span.trace_id));
  out.text(2, unhex(span.span_id));
  if (!span.parent_span_id.empty()) out.text(4, unhex(span.parent_span_id));
  out.text(5, name_of_span(span));
  out.number(6, span.kind == SpanRecord::Kind::kScan ? kSpanKindInternal : kSpanKindClient);
  out.fixed64(7, span.start_ns);
  out.fixed64(8, span.end_ns);
  Attributes attributes(out, 9);
  attributes.text("gen_ai.operation.name", span.operation);
  if (span.kind == SpanRecord::Kind::kModel) add_model(span, attributes);
  if (span.kind == SpanRecord::Kind::kMcp) add_mcp(span, attributes);
  attributes.text("gen_ai.guardrail.verdict.type", span.verdict);
  attributes.text("gen_ai.conversation.id", span.session);
  if (!span.host.empty()) add_server(attributes, span.host);
  attributes.text("error.type", span.error_type);
  attributes.text("aispm.tenant", span.tenant);
  attributes.text("aispm.agent.id", span.agent);
  attributes.text("aispm.decision", span.decision);
  attributes.text("aispm.rule", span.rule);
  attributes.whole("aispm.detections", span.detections);
  attributes.text("aispm.correlation_id", span.correlation);
  if (!span.error_type.empty()) {
    ProtoWriter status;
    status.number(3, kStatusError);
    out.message(15, status);
  }
  return out;
}

ProtoWriter encode_resource(const OtlpResource& resource) {
  ProtoWriter out;
  Attributes attributes(out, 1);
  attributes.text("service.name", "aispm-gateway");
  attributes.text("service.version", resource.version);
  attributes.text("host.name", resource.host);
  return out;
}

ProtoWriter encode_scope(const OtlpResource& resource) {
  ProtoWriter out;
  out.text(1, "aispm-gateway");
  out.text(2, resource.version);
  return out;
}

// Both requests have the same frame around what they carry.
std::string in_frame(const OtlpResource& resource, std::span<const ProtoWriter> items) {
  ProtoWriter scope;
  scope.message(1, encode_scope(resource));
  for (const ProtoWriter& item : items) scope.message(2, item);
  ProtoWriter of_resource;
  of_resource.message(1, encode_resource(resource));
  of_resource.message(2, scope);
  ProtoWriter request;
  request.message(1, of_resource);
  return request.bytes();
}

std::string_view unit_of(std::string_view metric) {
  return metric == kTokenUsage ? "{token}" : "s";
}

std::string_view description_of(std::string_view metric) {
  if (metric == kTokenUsage) return "Tokens of an operation, as its provider told them";
  if (metric == kMcpDuration) return "How long a request to an MCP server took";
  return metric == kDuration ? "How long an operation took"
                             : "From asking to the first chunk of a streamed reply";
}

std::string error_of(const model::Event& event, const model::LlmCall& call) {
  if (event.decision && event.decision->mode != "monitor") {
    switch (event.decision->outcome) {
      case model::Outcome::kUnspecified:
      case model::Outcome::kAllow:
      case model::Outcome::kRedact:
      case model::Outcome::kApproved:
        break;
      default:
        return "aispm_" + std::string(model::name_of(event.decision->outcome));
    }
  }
  return call.status >= 400 ? std::to_string(call.status) : std::string();
}

}  // namespace

SpanRecord make_span(Api api, const model::Event& event, std::string_view correlation) {
  const auto& call = std::get<model::LlmCall>(event.body);
  SpanRecord span;
  span.trace_id = event.trace_id;
  span.span_id = event.span_id;
  span.parent_span_id = event.parent_span_id;
  span.start_ns = static_cast<std::uint64_t>(event.time.nanoseconds);
  span.end_ns = span.start_ns + call.duration_us * 1000;
  span.operation = operation_of(api);
  span.provider = provider_word(call.provider);
  span.request_model = call.request_model;
  span.response_model = call.response_model;
  span.response_id = call.response_id;
  span.finish_reason = call.finish_reason;
  span.host = call.host;
  span.tenant = event.tenant;
  span.agent = event.agent_id;
  span.session = event.session_id;
  if (event.decision) {
    span.decision = model::name_of(event.decision->outcome);
    span.rule = event.decision->rule_id;
  }
  span.correlation = correlation;
  span.error_type = error_of(event, call);
  span.status = call.status;
  span.input_tokens = call.input_tokens;
  span.output_tokens = call.output_tokens;
  span.stream = call.stream;
  if (call.stream) span.first_chunk_us = call.first_byte_us;
  span.detections = event.detections.size();
  return span;
}

SpanRecord make_span(const McpSpan& call) {
  SpanRecord span;
  span.kind = SpanRecord::Kind::kMcp;
  if (call.method == "tools/call") span.operation = "execute_tool";
  span.method = call.method;
  // A URI may hold anything.
  if (call.method != "resources/read") span.target = call.target;
  span.host = call.host;
  span.error_type = call.error_type;
  return span;
}

std::string encode_spans(std::span<const SpanRecord> spans, const OtlpResource& resource) {
  std::vector<ProtoWriter> encoded;
  encoded.reserve(spans.size());
  for (const SpanRecord& span : spans) encoded.push_back(encode_span(span));
  return in_frame(resource, encoded);
}

void OtlpMetrics::record(Key key, std::span<const double> bounds, double value) {
  if (!series_.contains(key) && series_.size() >= kMaxSeries) {
    key.request_model = key.response_model = "_other";
    // At most one for each metric, operation, provider and detail: few.
  }
  Series& series = series_[std::move(key)];
  if (series.counts.empty()) series.counts.resize(bounds.size() + 1);
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
  ++series.counts[static_cast<std::size_t>(bound - bounds.begin())];
  series.sum += value;
  ++series.count;
}

void OtlpMetrics::add(const SpanRecord& span) {
  if (span.kind == SpanRecord::Kind::kScan) return;  // the conventions have no metric for them
  if (span.kind == SpanRecord::Kind::kMcp)
    return record({std::string(kMcpDuration), span.method, "", span.target, "", span.error_type},
                  kSeconds, static_cast<double>(span.end_ns - span.start_ns) / kNanoseconds);
  const auto key = [&](std::string_view metric, std::string detail) {
    return Key{std::string(metric), span.operation,      span.provider,
               span.request_model,  span.response_model, std::move(detail)};
  };
  record(key(kDuration, span.error_type), kSeconds,
         static_cast<double>(span.end_ns - span.start_ns) / kNanoseconds);
  if (span.first_chunk_us != 0)
    record(key(kFirstChunk, ""), kSeconds,
           static_cast<double>(span.first_chunk_us) / kMicroseconds);
  if (span.input_tokens != 0)
    record(key(kTokenUsage, "input"), kTokens, static_cast<double>(span.input_tokens));
  if (span.output_tokens != 0)
    record(key(kTokenUsage, "output"), kTokens, static_cast<double>(span.output_tokens));
}

std::string OtlpMetrics::encode(std::uint64_t now_ns, const OtlpResource& resource) const {
  std::map<std::string_view, ProtoWriter> histograms;
  for (const auto& [key, series] : series_) {
    ProtoWriter point;
    point.fixed64(2, started_ns_);
    point.fixed64(3, now_ns);
    point.fixed64(4, series.count);
    point.real(5, series.sum);
    point.packed(6, series.counts);
    point.packed(7, key.metric == kTokenUsage ? kTokens : kSeconds);
    Attributes attributes(point, 9);
    const bool is_mcp = key.metric == kMcpDuration;
    attributes.text(is_mcp ? "mcp.method.name" : "gen_ai.operation.name", key.operation);
    attributes.text("gen_ai.provider.name", key.provider);
    if (!is_mcp || key.operation == "tools/call")
      attributes.text(is_mcp ? "gen_ai.tool.name" : "gen_ai.request.model", key.request_model);
    attributes.text("gen_ai.response.model", key.response_model);
    attributes.text(key.metric == kTokenUsage ? "gen_ai.token.type" : "error.type", key.detail);
    histograms[key.metric].message(1, point);
  }
  std::vector<ProtoWriter> metrics;
  for (auto& [name, histogram] : histograms) {
    histogram.number(2, kCumulative);
    ProtoWriter metric;
    metric.text(1, name);
    metric.text(2, description_of(name));
    metric.text(3, unit_of(name));
    metric.message(9, histogram);
    metrics.push_back(std::move(metric));
  }
  return in_frame(resource, metrics);
}

}  // namespace aispm::gateway
