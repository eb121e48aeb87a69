// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_screen.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_seams.hpp"
#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/decide/scan_arguments.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/policy/tool_scan.hpp"

namespace aispm::gateway {
namespace {

using codec::JsonKind;
using codec::JsonTree;

// Shorter numbers are no data.
constexpr std::size_t kMinNumber = 8;

McpObjection objection_of(const Findings& findings) {
  return {std::string(findings.verdict.rule_id), std::string(findings.verdict.reason)};
}

std::optional<McpObjection> unscannable(const ScanContext& context, std::string_view why) {
  if (!context.book->policy->fail_closed()) return std::nullopt;
  return McpObjection{std::string(kUnscannableRule),
                      "It could not be scanned: " + std::string(why)};
}

model::Detection found_in(std::string_view texts, const char* rule, const char* message,
                          model::Severity severity) {
  model::Detection detection;
  detection.rule_id = rule;
  detection.category = "tool_abuse";
  detection.severity = severity;
  detection.confidence = 0.8;
  detection.surface = "tool_description";
  detection.message = message;
  detection.length = texts.size();
  return detection;
}

// Types whose base64 a model gets to read as text.
bool is_text_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  return type.starts_with("text/") || type.ends_with("json") || type.ends_with("xml") ||
         type.ends_with("yaml") || type.ends_with("javascript");
}

bool is_base64(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
           c == '/' || c == '=' || c == '-' || c == '_' || c == '\n' || c == '\r';
  });
}

// The base64 of pictures, sounds and files: "data" or "blob" beside a "mimeType", and nothing that
// a model could read as it stands.
bool is_media(const JsonTree& tree, std::size_t object, std::string_view key, std::size_t value) {
  return (key == "data" || key == "blob") && tree.find(object, "mimeType") != JsonTree::kNone &&
         !is_text_type(tree.string_at(object, "mimeType")) && tree[value].is_string() &&
         is_base64(tree[value].text);
}

class PartReader {
 public:
  PartReader(const JsonTree& tree, codec::Surface surface, std::string_view tool)
      : tree_(tree), surface_(surface), tool_(tool) {}

  std::vector<codec::TextPart> read() {
    read_value(0, false);
    return std::move(parts_);
  }

 private:
  // Depth is bounded by the tree's.
  void read_value(std::size_t node, bool media) {
    if (tree_[node].is_string()) return add(tree_[node], media, false);
    // A card's number is one without quotes, too; what is cut out of it makes it a text.
    if (tree_[node].kind == JsonKind::kNumber && tree_[node].text.size() >= kMinNumber)
      return add(tree_[node], false, false);
    tree_.each_element(node, [&](std::size_t value, std::size_t) { read_value(value, false); });
    tree_.each_member(node, [&](const codec::JsonNode& key, std::size_t value) {
      add(key, false, true);
      read_value(value, is_media(tree_, node, key.text, value));
    });
  }
  void add(const codec::JsonNode& node, bool media, bool is_key) {
    if (node.text.empty()) return;
    parts_.push_back({.surface = media ? codec::Surface::kMedia : surface_,
                      .text = node.text,
                      .span = node.span(),
                      .is_key = is_key,
                      .tool = tool_});
  }

  const JsonTree& tree_;
  const codec::Surface surface_;
  const std::string_view tool_;
  std::vector<codec::TextPart> parts_;
};

bool withholds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

// What shows only where texts meet. It cannot be cut out: what would be redacted is denied. Lists
// of numbers are no card's or telephone's, so personal data does not count there; in texts without
// anything between them only secrets do, as nobody wrote their words that way.
void look_across(const ScanContext& context, const codec::TextPart& like, const SeamText& seams,
                 bool only_secrets, ResultLook& look) {
  if (seams.text.empty() || look.objection) return;
  codec::LlmRequest request;
  request.parts.push_back({.surface = like.surface,
                           .text = seams.text,
                           .span = {},
                           .is_key = true,  // it has no place where it could be cut out
                           .is_message = false,
                           .tool = like.tool});
  auto scan = scan_request(context, request);
  if (!scan) {
    look.objection = unscannable(context, scan.error().message);
    return;
  }
  const std::string_view secret = detect::name_of(detect::Category::kSecret);
  const std::string_view personal = detect::name_of(detect::Category::kPii);
  for (model::Detection& found : scan->findings.detections) {
    const bool counts = only_secrets ? found.category == secret : found.category != personal;
    if (!counts || !seams.crosses(found.offset, found.length)) continue;
    const policy::Verdict said = verdict_on(context, policy::Direction::kRequest, found);
    if (withholds(said.applied) && !look.objection)
      look.objection = McpObjection{std::string(said.rule_id), std::string(said.reason)};
    look.detections.push_back(std::move(found));
  }
  if (look.objection) return;
  if (scan->findings.cut > 0)
    look.objection = unscannable(context, "there was not time enough to look through all of it");
  else if (scan->findings.dropped > 0 && scan->findings.denied())
    look.objection = unscannable(context, "more was found in it than can be told apart");
}

// The texts of a result that nothing objects to, and of which nothing is left to cut out, joined.
void look_at_seams(const ScanContext& context, const codec::TextPart& like, const JsonTree& tree,
                   ResultLook& look) {
  const ResultSeams seams = read_seams(tree);
  look_across(context, like, seams.lines, false, look);
  look_across(context, like, seams.pairs, true, look);
}

ToolLook look_at_words(const ScanContext& context, std::string_view texts, bool hides_text) {
  constexpr detect::Surface kSurface = detect::Surface::kToolDescription;
  ToolLook look;
  Findings findings;
  TextJudge judge(context, policy::Direction::kRequest, findings);
  const auto judged = judge.judge(
      texts,
      {.surface = kSurface, .outcomes = &context.tables->of_request(kSurface), .editable = false});
  if (!judged)
    look.objection = unscannable(context, judged.error().message);
  else if (judged->denied)
    look.objection = objection_of(findings);
  else if (findings.cut > 0)
    look.objection = unscannable(context, "there was not time enough to look through all of it");
  look.detections = std::move(findings.detections);
  if (hides_text) {
    look.detections.push_back(found_in(texts, "tools.hidden_text",
                                       "A description holds letters that people do not see",
                                       model::Severity::kHigh));
    look.objection =
        McpObjection{"tools.hidden_text", "The description holds letters that people do not see"};
  }
  return look;
}

}  // namespace

ToolLook look_at_tool(const ScanContext& context, const McpTool& tool) {
  ToolLook look = look_at_words(context, tool.texts, tool.hides_text);
  if (tool.speaks_of_others)
    look.detections.push_back(found_in(tool.texts, "tools.cross_reference",
                                       "A tool's description speaks about other tools",
                                       model::Severity::kMedium));
  return look;
}

ToolLook look_at_item(const ScanContext& context, const ShelfItem& item) {
  return look_at_words(context, item.texts, item.hides_text);
}

ToolLook look_at_instructions(const ScanContext& context, std::string_view server,
                              std::string_view text) {
  policy::ServerManifest manifest;
  manifest.name = std::string(server);
  manifest.tools.push_back({"instructions", std::string(text)});
  const policy::ScanReport report = policy::scan_server(manifest);
  const bool hides_text =
      std::any_of(report.findings.begin(), report.findings.end(),
                  [](const policy::ScanFinding& found) { return found.rule == "HIDDEN_TEXT"; });
  return look_at_words(context, text, hides_text);
}

MetaLook look_at_meta(const ScanContext& context, std::string_view meta) {
  ArgumentScan scanned = scan_arguments(context, meta);
  MetaLook look;
  look.detections = std::move(scanned.findings.detections);
  if (scanned.objection)
    look.objection = McpObjection{scanned.objection->rule_id, scanned.objection->reason};
  const std::string_view left = scanned.changed.empty() ? meta : std::string_view(scanned.changed);
  const auto cut = cut_data(context, left, detect::Surface::kToolArguments, look.meta);
  if (!cut || !is_still_json(left, look.meta)) look.meta.clear();
  return look;
}

ResultLook look_at_result(const ScanContext& context, codec::Surface surface, std::string_view tool,
                          std::string result) {
  ResultLook look;
  JsonTree tree;
  if (const auto read = tree.read(result, codec::kMaxRpcDepth); !read) {
    look.objection = McpObjection{std::string(kUnscannableRule), read.error().message};
    return look;
  }
  codec::LlmRequest texts;
  texts.parts = PartReader(tree, surface, tool).read();
  auto scan = scan_request(context, texts);
  if (!scan) {
    look.objection = unscannable(context, scan.error().message);
    look.result = std::move(result);
    return look;
  }
  Findings& findings = scan->findings;
  if (findings.denied())
    look.objection = objection_of(findings);
  else if (findings.cut > 0)
    look.objection = unscannable(context, "there was not time enough to look through all of it");
  look.redactions = findings.redactions;
  look.detections = std::move(findings.detections);
  auto patched = codec::apply_patches(result, std::move(scan->patches));
  if (!patched) {  // what is to be cut out cannot be
    look.objection = McpObjection{std::string(kUnscannableRule), patched.error().message};
    return look;
  }
  look.result = std::move(*patched);
  if (look.objection) return look;
  if (look.redactions > 0) {
    if (const auto read = tree.read(look.result, codec::kMaxRpcDepth); !read) {
      look.objection = McpObjection{std::string(kUnscannableRule), read.error().message};
      return look;
    }
  }
  look_at_seams(context, {.surface = surface, .text = {}, .span = {}, .tool = tool}, tree, look);
  return look;
}

}  // namespace aispm::gateway
