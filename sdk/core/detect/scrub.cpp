// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/scrub.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <variant>

#include "sdk/core/detect/redact.hpp"

namespace aispm::detect {
namespace {

// Rules for what tools are called with are for all texts of machines.
constexpr Surface kSurface = Surface::kToolArguments;
constexpr std::size_t kMaxDetections = 32;

struct Text {
  std::string* text;
  bool is_name = false;  // of a host: its letters may have been folded
};

// The texts of an event that come from outside. One overload per kind, so that a new kind does not
// compile before somebody has thought of it.
class Texts {
 public:
  explicit Texts(std::vector<Text>& out) : out_(out) {}

  void operator()(std::monostate&) {}
  void operator()(model::ProcessExec&) {}
  void operator()(model::ProcessExit&) {}
  void operator()(model::SocketListen&) {}
  void operator()(model::SocketConnect& body) { name(body.name); }
  void operator()(model::SocketClose& body) { name(body.name); }
  void operator()(model::TlsCoverage&) {}
  void operator()(model::SandboxExit&) {}
  void operator()(model::LlmCall& body) {
    name(body.host);
    all(body.request_model, body.response_model, body.finish_reason, body.response_id,
        body.tools_offered, body.tools_called, body.prompt_text, body.reply_text);
  }
  void operator()(model::SandboxStart& body) {
    all(body.command, body.profile, body.boundary, body.workspace, body.cold_reason);
  }
  void operator()(model::SandboxDenial& body) {
    name(body.target);
    name(body.name);
    all(body.reason);
  }
  void operator()(model::AgentReady& body) { all(body.name, body.version, body.framework); }
  void operator()(model::AgentLog& body) { all(body.message, body.fields); }
  void operator()(model::AiUse& body) {
    name(body.host);
    all(body.model, body.detail);
  }
  void operator()(model::ComponentHealth& body) { all(body.reasons); }
  void operator()(model::McpCall& body) {
    name(body.server_host);
    all(body.method, body.tool, body.server_name, body.server_version, body.request_id);
  }
  void operator()(model::McpTools& body) {
    name(body.server_host);
    all(body.server_name, body.server_version, body.added, body.removed, body.changed);
    for (model::McpTool& tool : body.tools) all(tool.name);
  }
  void operator()(model::Asset& body) {
    all(body.name, body.version, body.explanation, body.attributes);
    for (model::Evidence& evidence : body.evidence) all(evidence.value);
  }
  void operator()(model::NameSeen& body) { name(body.name); }
  void operator()(model::FileAccess& body) { all(body.path); }
  void operator()(model::Tamper& body) { all(body.target, body.detail); }
  void operator()(model::Enforcement& body) { name(body.target); }
  void operator()(model::ActionCall& body) {
    name(body.destination);
    all(body.tool, body.tool_provider, body.arguments_text, body.inputs);
  }
  void operator()(model::OperatorAction& body) { all(body.target, body.reason); }
  void operator()(model::Process& process) { all(process.exe, process.argv); }

 private:
  template <typename... Parts>
  void all(Parts&... parts) {
    (add(parts), ...);
  }
  void add(std::string& text) {
    if (!text.empty()) out_.push_back({&text});
  }
  void add(std::vector<std::string>& texts) {
    for (std::string& text : texts) add(text);
  }
  void add(std::map<std::string, std::string>& fields) {
    for (auto& [key, value] : fields) add(value);  // keys: scrub_keys()
  }
  void name(std::string& text) {
    if (!text.empty()) out_.push_back({&text, true});
  }

  std::vector<Text>& out_;
};

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

class Scrubber {
 public:
  Scrubber(const Engine& engine, Scratch& scratch, std::vector<Match>& matches, model::Event& event)
      : engine_(engine), scratch_(scratch), matches_(matches), event_(event) {}

  // True when it changed.
  bool scrub(std::string& text, bool is_name) {
    const bool changed = scrub_as(text, text);
    return (is_name && scrub_as(text, upper(text))) || changed;
  }

  Scrubbed done() const { return result_; }

 private:
  // Scans `read`, which is as long as `text`, and cuts out of `text` what was found there.
  bool scrub_as(std::string& text, const std::string& read) {
    if (!engine_.scan(read, kSurface, scratch_, matches_)) {
      text = kUnscanned;
      ++result_.unscanned;
      return true;
    }
    const auto is_other = [this](const Match& match) {
      return engine_.rules()[match.rule].category != Category::kSecret;
    };
    matches_.erase(std::remove_if(matches_.begin(), matches_.end(), is_other), matches_.end());
    if (matches_.empty()) return false;
    for (const Match& match : matches_) note(engine_.rules()[match.rule]);
    if (outcomes_.empty()) outcomes_.assign(engine_.rules().size(), model::Outcome::kRedact);
    std::string clean;
    result_.secrets += redact(engine_.rules(), text, matches_, outcomes_, clean);
    text = std::move(clean);
    return true;
  }

  void note(const Rule& rule) {
    const auto known = [&](const model::Detection& one) { return one.rule_id == rule.id; };
    auto& detections = event_.detections;
    if (noted_ >= kMaxDetections || std::any_of(detections.begin(), detections.end(), known))
      return;
    model::Detection detection = describe_evidence(rule, Match{}, "", kSurface);
    detection.surface = "event";
    detections.push_back(std::move(detection));
    ++noted_;
  }

  const Engine& engine_;
  Scratch& scratch_;
  std::vector<Match>& matches_;
  model::Event& event_;
  Outcomes outcomes_;
  std::size_t noted_ = 0;
  Scrubbed result_;
};

std::map<std::string, std::string>* fields_of(model::Event& event) {
  if (auto* log = std::get_if<model::AgentLog>(&event.body)) return &log->fields;
  if (auto* asset = std::get_if<model::Asset>(&event.body)) return &asset->attributes;
  return nullptr;
}

// Of two keys that become one the later value stays.
void scrub_keys(std::map<std::string, std::string>& fields, Scrubber& scrubber) {
  std::map<std::string, std::string> clean;
  for (auto& [key, value] : fields) {
    std::string name = key;
    scrubber.scrub(name, false);
    clean[std::move(name)] = std::move(value);
  }
  fields = std::move(clean);
}

std::vector<Text> texts_of(model::Event& event, ScrubOptions options) {
  std::vector<Text> texts;
  texts.reserve(16);  // more than most events have
  std::visit(Texts(texts), event.body);
  if (options.process && event.process) Texts{texts}(*event.process);
  return texts;
}

}  // namespace

std::size_t withhold_texts(model::Event& event, ScrubOptions options) {
  const std::vector<Text> texts = texts_of(event, options);
  for (const Text& one : texts) *one.text = kUnscanned;
  auto* const fields = fields_of(event);
  if (fields != nullptr) fields->clear();
  return texts.size();
}

Scrubbed scrub_secrets(const Engine& engine, Scratch& scratch, std::vector<Match>& matches,
                       model::Event& event, ScrubOptions options) {
  const std::vector<Text> texts = texts_of(event, options);
  auto* const fields = fields_of(event);
  if (texts.empty() && (fields == nullptr || fields->empty())) return {};
  std::vector<std::string_view> views;
  std::vector<std::string> folded;  // views point into it: it must not grow after them
  folded.reserve(static_cast<std::size_t>(
      std::count_if(texts.begin(), texts.end(), [](const Text& one) { return one.is_name; })));
  views.reserve(2 * texts.size());
  for (const Text& one : texts) {
    views.push_back(*one.text);
    if (one.is_name) views.push_back(folded.emplace_back(upper(*one.text)));
  }
  if (fields != nullptr)
    for (const auto& [key, value] : *fields) views.push_back(key);
  const auto may_match = engine.may_hold_secret(views, surface_bit(kSurface), scratch);
  if (may_match && !*may_match) return {};
  Scrubber scrubber(engine, scratch, matches, event);
  for (const Text& one : texts) scrubber.scrub(*one.text, one.is_name);
  if (fields != nullptr) scrub_keys(*fields, scrubber);
  return scrubber.done();
}

}  // namespace aispm::detect
