// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/scan_api.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/net/proxy_header.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using model::Outcome;

constexpr std::size_t kMaxNameBytes = 256;

Result<std::string> read_word(const json::value& value, const std::string& where) {
  if (!value.is_string() || value.get_string().size() > kMaxNameBytes)
    return fail(Errc::kInvalid, where + ": a string of at most 256 bytes");
  return std::string(std::string_view(value.get_string()));
}

Result<> read_context(const json::value& value, bool is_output, ScanQuestion& question) {
  const auto* object = value.if_object();
  if (object == nullptr) return fail(Errc::kInvalid, "context: must be an object");
  for (const auto& member : *object) {
    const std::string name(std::string_view(member.key()).substr(0, 32));
    AISPM_TRY(std::string word, read_word(member.value(), "context." + name));
    if (member.key() == "session_id") {
      if (!net::is_uuid(word)) return fail(Errc::kInvalid, "context.session_id: must be a UUID");
      question.session = std::move(word);
    } else if (member.key() == "provider") {
      question.provider = std::move(word);
    } else if (member.key() == "model") {
      question.model = std::move(word);
    } else if (member.key() == "surface") {
      const auto surface = detect::parse_surface(word);
      if (!surface || (*surface == detect::Surface::kReply) != is_output)
        return fail(Errc::kInvalid,
                    is_output ? "context.surface: an output's is reply"
                              : "context.surface: allowed is one of " + detect::surface_words() +
                                    ", but not reply: scan that at /api/v1/scan/output");
      question.item.surface = *surface;
    } else {
      return fail(Errc::kInvalid, "context." + name +
                                      " is not known; allowed are surface, session_id, provider "
                                      "and model");
    }
  }
  return {};
}

json::object to_json(const model::Detection& detection) {
  json::object out;
  out["type"] = detection.category;
  out["severity"] = model::name_of(detection.severity);
  out["confidence"] = detection.confidence;
  out["rule"] = detection.rule_id;
  out["span"] = json::object{{"offset", detection.offset}, {"length", detection.length}};
  out["surface"] = detection.surface;
  out["message"] = detection.message;
  out["tags"] = json::array(detection.tags.begin(), detection.tags.end());
  return out;
}

struct Opined {
  std::string trouble;
  std::string judges;
};

// Adds what slower judges found, and says who spoke and who did not.
Opined take_opinions(const ScanQuestion& question, const ScreenOpinions& opinions,
                     Findings& findings) {
  Opined opined;
  opined.judges = opinions.semantic ? "rules+classifier+semantic" : "rules+classifier";
  for (const model::Detection& detection : opinions.detections) findings.add(detection);
  if (!opinions.missing.empty()) opined.trouble = opinions.missing;
  if (!opinions.no_guard.empty()) opined.trouble = opinions.no_guard;
  const ScreenText& item = question.item;
  for (const auto& [name, answer] : opinions.guards) {
    opined.judges.append("+").append(name);
    for (model::Detection& detection : describe_guard(answer, item.surface, item.text.size(), name))
      findings.add(std::move(detection));
  }
  return opined;
}

std::string action_of(const Screened& screened, bool fails) {
  const Findings& findings = screened.findings;
  if (fails || findings.denied()) return "block";
  if (findings.verdict.applied == Outcome::kRedact) return screened.cut > 0 ? "redact" : "block";
  return findings.detections.empty() && findings.dropped == 0 ? "allow" : "warn";
}

void remember_threats(const Findings& findings, ScanRecord& record) {
  for (const model::Detection& detection : findings.detections) {
    if (record.threats.size() < ScanRecord::kMaxThreats)
      record.threats.push_back(
          {detection.category, detection.severity, detection.confidence, detection.rule_id});
    else
      ++record.more_threats;
  }
  record.more_threats += findings.dropped;
}

}  // namespace

Result<ScanQuestion> read_scan(std::string_view body, bool is_output) {
  if (body.size() > kMaxScanBodyBytes)
    return fail(Errc::kTooLarge, "more than 4 MiB of text to scan");
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Errc::kInvalid, "not JSON: " + error.message());
  const auto* object = document.if_object();
  const auto* content = object ? object->if_contains("content") : nullptr;
  if (content == nullptr || !content->is_string())
    return fail(Errc::kInvalid,
                R"(must be {"content": "...", "context": {...}, "policy_id": "..."})");
  ScanQuestion question;
  question.item.text = std::string(std::string_view(content->get_string()));
  question.item.surface = is_output ? detect::Surface::kReply : detect::Surface::kPrompt;
  for (const auto& member : *object) {
    if (member.key() == "content" || member.value().is_null()) continue;
    if (member.key() == "context") {
      AISPM_CHECK(read_context(member.value(), is_output, question));
    } else if (member.key() == "policy_id") {
      AISPM_TRY(question.policy, read_word(member.value(), "policy_id"));
    } else {
      return fail(Errc::kInvalid, "knows content, context and policy_id only");
    }
  }
  return question;
}

ScanOutcome describe_scan(const ScanContext& context, const ScanQuestion& question,
                          Screened screened, const ScreenOpinions& opinions, ScanRecord record,
                          std::chrono::steady_clock::time_point started, const BundleWord* word) {
  Findings& findings = screened.findings;
  const std::size_t first = findings.detections.size();
  Opined opined = take_opinions(question, opinions, findings);
  judge(findings, first, context,
        record.is_output ? policy::Direction::kReply : policy::Direction::kRequest);
  const std::string trouble = screened.trouble.empty() ? opined.trouble : screened.trouble;
  const bool fails = !trouble.empty() && context.book->policy->fail_closed();
  record.action = word != nullptr ? "block" : action_of(screened, fails);
  record.policy = question.policy;
  record.session = question.session;
  record.content_bytes = question.item.text.size();
  remember_threats(findings, record);
  json::array threats;
  auto worst = model::Severity::kUnspecified;
  for (const model::Detection& detection : findings.detections) {
    threats.push_back(to_json(detection));
    worst = std::max(worst, detection.severity);
  }
  json::object out;
  out["scan_id"] = record.id;
  out["scan_type"] = record.is_output ? "output" : "input";
  out["allowed"] = record.action != "block";
  out["action"] = record.action;
  if (!threats.empty()) out["severity"] = model::name_of(worst);
  out["threats"] = std::move(threats);
  out["threats_not_listed"] = findings.dropped;
  if (record.action == "redact") out["content"] = screened.redacted;
  out["decided"] = model::name_of(findings.verdict.decided);
  const std::string rule(fails             ? kUnscannableRule
                         : word != nullptr ? std::string_view(word->rule)
                                           : findings.verdict.rule_id);
  out["rule"] = rule;
  if (word != nullptr && !fails) out["reason"] = word->reason;
  out["mode"] = policy::name_of(context.book->policy->default_mode());
  if (!question.policy.empty()) out["policy_id"] = question.policy;
  if (!trouble.empty()) out["error"] = trouble;
  out["judges"] = opined.judges;
  const auto spent = std::chrono::steady_clock::now() - started;
  record.latency_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
  out["latency_ms"] = static_cast<double>(record.latency_us) / 1000.0;
  return {.record = std::move(record),
          .body = json::serialize(out),
          .rule = rule,
          .detections = std::move(findings.detections)};
}

model::Event scan_event(const ScanRecord& record, const ScanContext& context, std::string_view text,
                        std::vector<model::Detection> detections, std::string_view rule) {
  model::Event event;
  event.id = record.id;
  event.time = record.time;
  event.tenant = record.tenant;
  event.agent_id = record.agent;
  event.session_id = record.session;
  event.source = model::Source::kGateway;
  model::ActionCall call;
  call.surface = "scan";
  call.tool = record.is_output ? "scan.output" : "scan.input";
  call.digest = sha256_hex(text);
  call.policy_id = record.policy;
  call.model = context.caller.model;
  call.provider = context.caller.provider;
  event.body = std::move(call);
  event.detections = std::move(detections);
  model::Decision decision;
  decision.outcome = record.action == "block"    ? Outcome::kDeny
                     : record.action == "redact" ? Outcome::kRedact
                                                 : Outcome::kAllow;
  decision.mode = policy::name_of(context.book->policy->default_mode());
  decision.rule_id = rule;
  decision.policy_version = context.policies.enforced ? context.policies.enforced->version()
                                                      : context.book->policy->version();
  decision.case_id = record.id;
  event.decision = std::move(decision);
  return event;
}

}  // namespace aispm::gateway
