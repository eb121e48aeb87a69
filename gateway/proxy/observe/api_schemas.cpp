// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/api_schemas.hpp"

namespace aispm::gateway {

ApiSchemas schemas_of(std::string_view method, std::string_view path) {
  if (path == "/api/v1/scan/input" || path == "/api/v1/scan/output")
    return {"ScanRequest", "ScanAnswer"};
  if (path == "/api/v1/scans") return {"", "ScanPage"};
  if (path == "/api/v1/threats") return {"", "ThreatPage"};
  if (path == "/api/v1/metrics") return {"", "SecurityMetrics"};
  if (path == "/sessions") return {"", "SessionPage"};
  if (path == "/sessions/{id}/events") return {"", "SessionEvents"};
  if (path == "/ready") return {"", "Readiness"};
  if (path == "/aispm/v1/admin/reload") return {"", "", "202"};
  if (!path.starts_with("/api/v1/guardrails")) return {};
  if (method == "POST") return {"GuardrailRequest", "Guardrail", "201"};
  if (method == "DELETE") return {};
  if (method == "PUT") return {"GuardrailRequest", "Guardrail"};
  return {"", path == "/api/v1/guardrails" ? "GuardrailList" : "Guardrail"};
}

const std::string_view kApiSchemas = R"json({
"Error": {"type": "object", "properties": {"error": {"type": "object", "properties": {
  "message": {"type": "string"}, "type": {"type": "string"}, "code": {"type": ["string", "null"]}}}}},
"Severity": {"type": "string", "enum": ["info", "low", "medium", "high", "critical"]},
"Action": {"type": "string", "enum": ["allow", "warn", "redact", "block"]},
"ScanRequest": {"type": "object", "required": ["content"], "additionalProperties": false, "properties": {
  "content": {"type": "string", "description": "at most 4 MiB"},
  "policy_id": {"type": "string", "description": "one of `scan: policies:`; left out: what decides about this agent"},
  "context": {"type": "object", "additionalProperties": false, "properties": {
    "surface": {"type": "string"}, "session_id": {"type": "string", "format": "uuid"},
    "provider": {"type": "string"}, "model": {"type": "string"}}}}},
"Threat": {"type": "object", "properties": {
  "type": {"type": "string"}, "severity": {"$ref": "#/components/schemas/Severity"},
  "confidence": {"type": "number", "minimum": 0, "maximum": 1}, "rule": {"type": "string"},
  "span": {"type": "object", "properties": {"offset": {"type": "integer"}, "length": {"type": "integer"}},
           "description": "bytes of `content`"},
  "surface": {"type": "string"}, "message": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}},
"ScanAnswer": {"type": "object", "required": ["scan_id", "scan_type", "allowed", "action", "threats", "latency_ms"], "properties": {
  "scan_id": {"type": "string", "format": "uuid"}, "scan_type": {"type": "string", "enum": ["input", "output"]},
  "allowed": {"type": "boolean"}, "action": {"$ref": "#/components/schemas/Action"},
  "severity": {"$ref": "#/components/schemas/Severity"},
  "threats": {"type": "array", "items": {"$ref": "#/components/schemas/Threat"}},
  "threats_not_listed": {"type": "integer"},
  "content": {"type": "string", "description": "action redact: the text without what policy withholds"},
  "decided": {"type": "string", "description": "what policy says, applied or (mode monitor) not"},
  "rule": {"type": "string"}, "mode": {"type": "string"}, "policy_id": {"type": "string"},
  "error": {"type": "string", "description": "why it could not be judged by all judges"},
  "judges": {"type": "string"}, "latency_ms": {"type": "number"}}},
"SessionPage": {"type": "object", "required": ["sessions", "total", "offset", "limit", "forgotten"], "properties": {
  "sessions": {"type": "array", "items": {"type": "object", "properties": {
    "session_id": {"type": "string"}, "tenant": {"type": "string"}, "agent": {"type": "string"},
    "first": {"type": "string", "format": "date-time"}, "last": {"type": "string", "format": "date-time"},
    "events": {"type": "integer"}, "denied": {"type": "integer"}, "flagged": {"type": "integer"}}}},
  "total": {"type": "integer"}, "offset": {"type": "integer"}, "limit": {"type": "integer"},
  "forgotten": {"type": "integer", "description": "events of all sessions that are not remembered any more"}}},
"SessionEvents": {"type": "object", "required": ["session_id", "tenant", "agent", "events", "total", "forgotten"], "properties": {
  "session_id": {"type": "string"}, "tenant": {"type": "string"}, "agent": {"type": "string"},
  "events": {"type": "array", "description": "in the order in which they ended", "items": {"type": "object", "properties": {
    "event_id": {"type": "string"}, "time": {"type": "string", "format": "date-time"}, "kind": {"type": "string"},
    "what": {"type": "string", "description": "model or tool"}, "where": {"type": "string", "description": "provider"},
    "status": {"type": "integer"}, "duration_us": {"type": "integer"}, "trace_id": {"type": "string"},
    "outcome": {"type": "string"}, "rule": {"type": "string"}, "detections": {"type": "integer"}}}},
  "total": {"type": "integer"}, "offset": {"type": "integer"}, "limit": {"type": "integer"}, "forgotten": {"type": "integer"}}},
"ScanPage": {"type": "object", "required": ["scans", "total", "offset", "limit", "forgotten"], "properties": {
  "scans": {"type": "array", "items": {"type": "object"}}, "total": {"type": "integer"}, "offset": {"type": "integer"},
  "limit": {"type": "integer"}, "forgotten": {"type": "integer"}}},
"ThreatPage": {"type": "object", "required": ["threats", "total", "offset", "limit", "forgotten"], "properties": {
  "threats": {"type": "array", "items": {"type": "object"}}, "total": {"type": "integer"}, "offset": {"type": "integer"},
  "limit": {"type": "integer"}, "forgotten": {"type": "integer"}}},
"Latencies": {"type": "object", "properties": {"count": {"type": "integer"}, "mean": {"type": "number"},
  "p50": {"type": "number"}, "p95": {"type": "number"}, "p99": {"type": "number"}}},
"SecurityMetrics": {"type": "object", "properties": {"since_start": {"type": "object"}, "window": {"type": ["object", "null"]},
  "latency_max_relative_error": {"type": "number"}}},
"Readiness": {"type": "object", "required": ["ready", "failing"], "properties": {"ready": {"type": "boolean"},
  "failing": {"type": "array", "items": {"type": "string"}}, "checks": {"type": "object"}}},
"GuardrailRequest": {"type": "object", "required": ["name", "type"], "additionalProperties": false, "properties": {
  "name": {"type": "string"}, "type": {"type": "string", "enum": ["regex", "keyword", "threshold"]},
  "pattern": {"type": "string"}, "example": {"type": "string", "description": "regex: a text in which it is found"},
  "keywords": {"type": "array", "items": {"type": "string"}}, "caseless": {"type": "boolean"},
  "category": {"type": "string"}, "rule": {"type": "string"}, "threshold": {"type": "number", "minimum": 0, "maximum": 1},
  "action": {"type": "string", "enum": ["block", "redact", "warn"]},
  "applies_to": {"type": "string", "enum": ["input", "output", "both"]},
  "severity": {"$ref": "#/components/schemas/Severity"}, "enabled": {"type": "boolean"}}},
"Guardrail": {"type": "object", "required": ["id", "name", "type", "action", "applies_to", "enabled"], "properties": {
  "id": {"type": "string"}, "name": {"type": "string"}, "type": {"type": "string"}, "action": {"type": "string"},
  "applies_to": {"type": "string"}, "enabled": {"type": "boolean"}, "created": {"type": "string"}, "updated": {"type": "string"}}},
"GuardrailList": {"type": "object", "required": ["total", "guardrails"], "properties": {"total": {"type": "integer"},
  "guardrails": {"type": "array", "items": {"$ref": "#/components/schemas/Guardrail"}}}}
})json";

}  // namespace aispm::gateway
