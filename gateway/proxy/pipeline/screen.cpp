// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/screen.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

// Share of a rule's confidence in the score; a guard model's class counts more.
constexpr double kScorePerRule = 0.30;
constexpr double kScorePerGuardClass = 0.35;

Result<ScreenText> read_text(const json::value& value, const std::string& where) {
  ScreenText item;
  if (const auto* plain = value.if_string()) {
    item.text = std::string(std::string_view(*plain));
    return item;
  }
  const auto* object = value.if_object();
  const auto* text = object ? object->if_contains("text") : nullptr;
  if (text == nullptr || !text->is_string())
    return fail(Errc::kInvalid, where + R"(must be {"text": "...", "surface": "..."})");
  item.text = std::string(std::string_view(text->get_string()));
  for (const auto& member : *object)
    if (member.key() != "text" && member.key() != "surface")
      return fail(Errc::kInvalid, where + "knows text and surface only");
  if (const auto* surface = object->if_contains("surface")) {
    const auto known = surface->is_string()
                           ? detect::parse_surface(std::string_view(surface->get_string()))
                           : std::nullopt;
    if (!known)
      return fail(Errc::kInvalid, where + "surface: allowed is one of " + detect::surface_words());
    item.surface = *known;
  }
  return item;
}

policy::Direction direction_of(const ScreenText& item) {
  return item.surface == detect::Surface::kReply ? policy::Direction::kReply
                                                 : policy::Direction::kRequest;
}

json::object to_json(const model::Detection& detection) {
  json::object out;
  out["rule_id"] = detection.rule_id;
  out["category"] = detection.category;
  out["severity"] = model::name_of(detection.severity);
  out["confidence"] = detection.confidence;
  out["surface"] = detection.surface;
  out["offset"] = detection.offset;
  out["length"] = detection.length;
  out["message"] = detection.message;
  out["tags"] = json::array(detection.tags.begin(), detection.tags.end());
  return out;
}

// The classes that were found, and the score.
class Tally {
 public:
  void add(const model::Detection& detection) {
    if (const auto index = guard_class_of(detection)) classes_.insert(*index);
    if (rules_.insert(detection.rule_id).second) score_ += kScorePerRule * detection.confidence;
  }
  void add(const GuardAnswer& answer) {
    for (const std::size_t index : answer.classes) {
      classes_.insert(index);
      score_ += kScorePerGuardClass;
    }
    if (answer.unsafe && answer.classes.empty()) score_ += kScorePerGuardClass;
  }
  bool blocks() const {
    return std::any_of(classes_.begin(), classes_.end(),
                       [](std::size_t index) { return guard_classes()[index].blocks; });
  }
  double score() const { return std::min(1.0, score_); }
  json::array codes() const {
    json::array codes;
    for (const std::size_t index : classes_) codes.emplace_back(guard_classes()[index].code);
    return codes;
  }

 private:
  std::set<std::size_t> classes_;
  std::set<std::string> rules_;
  double score_ = 0;
};

}  // namespace

Result<std::vector<ScreenText>> read_screen(std::string_view body, bool is_batch) {
  if (body.size() > kMaxScreenBodyBytes)
    return fail(Errc::kTooLarge, "more than 4 MiB of texts to screen");
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Errc::kInvalid, "not JSON: " + error.message());
  std::vector<ScreenText> items;
  if (!is_batch) {
    if (!document.is_object())
      return fail(Errc::kInvalid, R"(must be {"text": "...", "surface": "..."})");
    AISPM_TRY(ScreenText item, read_text(document, ""));
    items.push_back(std::move(item));
    return items;
  }
  const auto* object = document.if_object();
  const auto* list = object && object->size() == 1 ? object->if_contains("texts") : nullptr;
  if (list == nullptr || !list->is_array())
    return fail(Errc::kInvalid, R"(must be {"texts": [...]})");
  if (list->get_array().size() > kMaxScreenBatch)
    return fail(Errc::kTooLarge, "more than 64 texts in one batch");
  for (const json::value& value : list->get_array()) {
    AISPM_TRY(ScreenText item, read_text(value, "texts[" + std::to_string(items.size()) + "]: "));
    items.push_back(std::move(item));
  }
  return items;
}

Screened screen_text(const ScanContext& context, const ScreenText& item) {
  const bool is_reply = item.surface == detect::Surface::kReply;
  Screened screened;
  TextJudge judge(context, direction_of(item), screened.findings);
  const detect::Outcomes& outcomes =
      is_reply ? context.tables->of_reply(item.surface) : context.tables->of_request(item.surface);
  const auto judged = judge.judge(item.text, {.surface = item.surface, .outcomes = &outcomes});
  if (!judged) {
    screened.trouble = judged.error().message;
    return screened;
  }
  if (screened.findings.cut > 0)
    screened.trouble = "there was not time enough to look through all of it";
  if (judged->redacts) screened.cut = judge.cut_out(item.text, screened.redacted);
  std::size_t kept_bytes = 0;
  screened.look = judge.first_look(detect::Inspection::kMaxHiddenBytes, kept_bytes);
  return screened;
}

std::string describe_screened(const ScanContext& context, const ScreenText& item, Screened screened,
                              const ScreenOpinions& opinions,
                              std::chrono::steady_clock::time_point started) {
  Findings& findings = screened.findings;
  std::string& trouble = screened.trouble;
  if (!opinions.missing.empty()) trouble = opinions.missing;
  std::string backend = opinions.semantic ? "rules+classifier+semantic" : "rules+classifier";
  Tally tally;
  std::string reason;
  std::vector<model::Detection> said = opinions.detections;
  for (const auto& [name, answer] : opinions.guards) {
    tally.add(answer);
    if (reason.empty()) reason = answer.reason;
    backend.append("+").append(name);
    for (model::Detection& detection : describe_guard(answer, item.surface, item.text.size(), name))
      said.push_back(std::move(detection));
  }
  if (!opinions.no_guard.empty()) trouble = opinions.no_guard;
  const std::size_t first = findings.detections.size();
  for (model::Detection& detection : said) findings.add(std::move(detection));
  judge(findings, first, context, direction_of(item));
  json::array detections;
  for (const model::Detection& detection : findings.detections) {
    if (!detection.rule_id.starts_with("guard.")) tally.add(detection);
    detections.push_back(to_json(detection));
  }
  const bool fails = !trouble.empty() && context.book->policy->fail_closed();
  const bool blocks = fails || tally.blocks() || findings.denied();
  json::object out;
  out["verdict"] = blocks ? "block" : detections.empty() ? "allow" : "flag";
  out["score"] = tally.score();
  out["categories"] = tally.codes();
  out["detections"] = std::move(detections);
  out["outcome"] = model::name_of(findings.verdict.decided);
  out["rule"] = findings.verdict.rule_id;
  if (!reason.empty()) out["reason"] = reason;
  if (!trouble.empty()) out["error"] = trouble;
  out["backend"] = backend;
  const auto spent = std::chrono::steady_clock::now() - started;
  out["processing_ms"] = std::chrono::duration<double, std::milli>(spent).count();
  return json::serialize(out);
}

std::string screen_categories() {
  json::array list;
  for (const GuardClass& one : guard_classes())
    list.push_back(json::object{
        {"code", one.code}, {"name", one.name}, {"action", one.blocks ? "block" : "flag"}});
  return json::serialize(json::object{{"categories", std::move(list)}});
}

}  // namespace aispm::gateway
