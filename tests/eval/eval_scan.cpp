// SPDX-License-Identifier: Apache-2.0
// Scans texts with the shipped engine, for ./dev eval and for training: the only place where a
// measured verdict comes from.
//
//   eval_scan PACKS [MODEL] < rows.jsonl > verdicts.jsonl
//
// Reads {"text": ..., "surface": ...} a line (further members are ignored) and writes one line
// each:
// {"found":[{"rule":..,"category":..,"entity":..,"severity":0-5,"confidence":..,"begin":..,"end":..}]},
// what fuse() makes of the rules, offsets in bytes, and
// "classifier":{"level":0-2,"confidence":..,"score":..,"begin":..,"end":..,"trick":..}, the worse
// of the text's and of what it hides, with the file of a semantic model also
// "semantic":{"confidence":..,"joint":..,"windows":..}, of both tiers together in `joint`; or
// {"error":..} when the engine refuses the text, which callers treat as denied. Exits 2 with the
// line's number when the input is wrong.
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>

#include "sdk/core/common/file.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/semantic.hpp"

namespace aispm::detect {
namespace {

// Names of surfaces in data sets besides our own.
std::optional<Surface> surface_of(std::string_view name) {
  if (const auto own = parse_surface(name)) return own;
  if (name == "user_prompt") return Surface::kPrompt;
  if (name == "system_prompt") return Surface::kSystem;
  if (name == "llm_output") return Surface::kReply;
  if (name == "tool_call" || name == "tool_args") return Surface::kToolArguments;
  for (const std::string_view fetched :
       {"email", "web", "document", "retrieved_document", "memory", "email_or_web", "memory_write"})
    if (name == fetched) return Surface::kToolResult;
  return std::nullopt;
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  out += '"';
}

void append_rules(const Fused& fused, Surface surface, std::string& out) {
  out += "{\"found\":[";
  for (const Finding& finding : fused.findings) {
    if (finding.rule == nullptr) continue;  // the classifier's is told by itself
    const Rule& rule = *finding.rule;
    if (out.back() == '}') out += ',';
    out += "{\"rule\":";
    append_quoted(rule.id, out);
    out += ",\"category\":";
    append_quoted(name_of(rule.category), out);
    if (rule.category == Category::kPii) {
      out += ",\"entity\":";
      append_quoted(rule.entity, out);
    }
    out += ",\"severity\":" + std::to_string(static_cast<int>(rule.severity_on(surface)));
    out += ",\"confidence\":" + std::to_string(rule.confidence_on(surface));
    out += ",\"begin\":" + std::to_string(finding.offset);
    out += ",\"end\":" + std::to_string(finding.offset + finding.match.length) + "}";
  }
  out += "],";
}

void append_verdict(const ClassifierVerdict& verdict, std::string& out) {
  out += "\"classifier\":{\"level\":" + std::to_string(static_cast<int>(verdict.level));
  out += ",\"confidence\":" + std::to_string(verdict.confidence);
  out += ",\"score\":" + std::to_string(verdict.score);
  out += ",\"begin\":" + std::to_string(verdict.begin);
  out += ",\"end\":" + std::to_string(verdict.end);
  out += ",\"trick\":\"" + std::string(name_of(verdict.trick)) + "\"}";
}

double certainty(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

class Scanner {
 public:
  // `model` may be null: then only rules and tier 1 judge.
  Scanner(const Engine& engine, Scratch scratch, const SemanticModel* model)
      : engine_(engine), scratch_(std::move(scratch)), model_(model) {
    // A busy machine must not change what is measured.
    options_.total = std::chrono::hours(1);
    options_.budgets.fill(std::chrono::hours(1));
    options_.classifier = &classifier_;
  }

  // Appends the verdict on one line of input.
  Result<> scan(std::string line, std::string& out) {
    simdjson::dom::object row;
    std::string_view text;
    std::string_view surface_name;
    if (parser_.parse(line).get(row) != simdjson::SUCCESS)
      return fail(Errc::kInvalid, "not a JSON object");
    if (row["text"].get(text) != simdjson::SUCCESS) return fail(Errc::kInvalid, "no string `text`");
    if (row["surface"].get(surface_name) != simdjson::SUCCESS)
      return fail(Errc::kInvalid, "no string `surface`");
    const auto surface = surface_of(surface_name);
    if (!surface)
      return fail(Errc::kInvalid, "unknown surface `" + std::string(surface_name) + "`");
    if (const auto done = inspect(engine_, text, *surface, options_, scratch_, inspection_);
        !done) {
      out += "{\"error\":";
      append_quoted(done.error().message, out);
      out += "}\n";
      return {};
    }
    fuse(engine_, *surface, inspection_, fused_);
    append_rules(fused_, *surface, out);
    append_verdict(inspection_.verdict, out);
    if (model_) append_semantic(text, *surface, out);
    out += "}\n";
    return {};
  }

 private:
  // The worse of the text and of what it hides.
  void append_semantic(std::string_view text, Surface surface, std::string& out) {
    const auto verdict = *model_->judge(text, surface, semantic_);
    double alone = verdict.confidence;
    double joint = verdict.windows == 0 ? 0 : certainty(verdict.joined(inspection_.verdict.score));
    if (!inspection_.hidden.empty()) {
      const auto hidden = *model_->judge(inspection_.hidden, surface, semantic_);
      alone = std::max(alone, hidden.confidence);
      if (hidden.windows > 0)
        joint = std::max(joint, certainty(hidden.joined(inspection_.hidden_score)));
    }
    out += ",\"semantic\":{\"confidence\":" + std::to_string(alone);
    out += ",\"joint\":" + std::to_string(joint);
    out += ",\"windows\":" + std::to_string(verdict.windows) + "}";
  }

  const Engine& engine_;
  Scratch scratch_;
  simdjson::dom::parser parser_;
  Inspection inspection_;
  InspectOptions options_;
  Fused fused_;
  Tier1 classifier_;
  const SemanticModel* model_;
  SemanticScratch semantic_;
};

Result<> scan_all(const std::string& packs, const char* model_file) {
  auto cache = DatabaseCache::open(AISPM_CACHE_DIR);  // without one it only takes longer
  AISPM_TRY(const auto engine, Engine::open(packs, cache ? &*cache : nullptr));
  AISPM_TRY(Scratch scratch, engine->make_scratch());
  std::shared_ptr<const SemanticModel> model;
  if (model_file) {
    AISPM_TRY(std::string bytes, read_file(model_file, kMaxSemanticModelBytes));
    AISPM_TRY(model, SemanticModel::parse(std::move(bytes)));
  }
  Scanner scanner(*engine, std::move(scratch), model.get());
  std::string out;
  std::size_t number = 0;
  for (std::string line; std::getline(std::cin, line); out.clear()) {
    ++number;
    if (auto done = scanner.scan(std::move(line), out); !done)
      return fail(done.error().code,
                  "line " + std::to_string(number) + ": " + done.error().message);
    if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size())
      return fail(Errc::kUnavailable, "cannot write verdicts");
  }
  return {};
}

}  // namespace
}  // namespace aispm::detect

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "usage: eval_scan PACKS [MODEL] < rows.jsonl > verdicts.jsonl\n";
    return 2;
  }
  if (const auto done = aispm::detect::scan_all(argv[1], argv[2]); !done) {
    std::cerr << "eval_scan: " << done.error().message << "\n";
    return 2;
  }
  return 0;
}
