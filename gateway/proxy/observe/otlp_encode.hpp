// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/model/event.hpp"

// Exchanges as OpenTelemetry tells them: the semantic conventions for generative AI (attributes and
// metrics `gen_ai.*`, in development as of 2026), as messages of OTLP 1.x. Pure. No text of a
// prompt or reply is in any of it.
namespace aispm::gateway {

struct SpanRecord {
  enum class Kind : std::uint8_t {
    kModel,  // a request to a model
    kMcp,    // a request to an MCP server
    kScan,   // a call of the scan API
  };
  Kind kind = Kind::kModel;
  std::string trace_id;  // hex, as parent_span_id and span_id
  std::string span_id;
  std::string parent_span_id;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::string operation;  // "chat", "embeddings", "execute_tool", "run_guardrail", ...
  std::string method;     // kMcp: "tools/call"; kScan: "input", "output"
  std::string target;     // kMcp: the tool's or prompt's name; "" = none, or a URI
  std::string verdict;    // kScan: "allow", "warn", "modify", "deny"
  std::string provider;   // "openai", "anthropic", ...
  std::string request_model;
  std::string response_model;
  std::string response_id;
  std::string finish_reason;
  std::string host;  // of the provider: "api.openai.com", "localhost:9443"
  std::string tenant;
  std::string agent;
  std::string session;
  std::string decision;
  std::string rule;
  std::string correlation;
  std::string error_type;  // "" = none
  std::uint32_t status = 0;
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  std::uint64_t first_chunk_us = 0;  // streams only; 0 = none came
  std::uint64_t detections = 0;
  bool stream = false;
};

// `event`'s body is an LlmCall.
SpanRecord make_span(codec::Api api, const model::Event& event, std::string_view correlation);

// Of what was asked of an MCP server, without its words. `duration_us` from asking to the answer.
struct McpSpan {
  std::string_view method;
  std::string_view target;
  std::string_view host;        // of the server
  std::string_view error_type;  // "" = none
  std::uint64_t duration_us = 0;
};
// Times, ids and who it was are the caller's to fill in.
SpanRecord make_span(const McpSpan& call);

// Who tells it: attributes of the resource.
struct OtlpResource {
  std::string host;
  std::string version;
};

// An ExportTraceServiceRequest.
std::string encode_spans(std::span<const SpanRecord> spans, const OtlpResource& resource);

// The conventions' histograms of all spans that were added, since the start.
class OtlpMetrics {
 public:
  static constexpr std::size_t kMaxSeries = 1000;

  explicit OtlpMetrics(std::uint64_t started_ns) : started_ns_(started_ns) {}
  // What would make more series than that counts under the model `_other`.
  void add(const SpanRecord& span);
  bool empty() const { return series_.empty(); }
  // An ExportMetricsServiceRequest.
  std::string encode(std::uint64_t now_ns, const OtlpResource& resource) const;

 private:
  struct Key {
    std::string metric;
    std::string operation;
    std::string provider;
    std::string request_model;
    std::string response_model;
    std::string detail;  // error.type, gen_ai.token.type
    auto operator<=>(const Key&) const = default;
  };
  struct Series {
    std::vector<std::uint64_t> counts;
    double sum = 0;
    std::uint64_t count = 0;
  };
  void record(Key key, std::span<const double> bounds, double value);

  std::uint64_t started_ns_;
  std::map<Key, Series> series_;
};

}  // namespace aispm::gateway
