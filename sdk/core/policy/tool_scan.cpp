// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_scan.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

constexpr unsigned kMaxPoints = 100;
constexpr std::size_t kManyRisky = 3;
constexpr std::size_t kShortestReference = 4;  // shorter names are words of any sentence

constexpr std::array<std::string_view, 14> kHighRisk = {
    "exec",   "execute",     "shell",      "command", "subprocess", "admin", "root",
    "system", "credentials", "filesystem", "secrets", "delete",     "sudo",  "process"};
constexpr std::array<std::string_view, 8> kMediumRisk = {
    "network", "write", "http", "database", "email", "browser", "clipboard", "env"};
constexpr std::array<std::string_view, 16> kDangerousNames = {
    "exec", "execute", "eval", "shell", "bash", "cmd",   "command", "delete",
    "drop", "rm",      "sudo", "kill",  "wipe", "spawn", "format",  "destroy"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// "deleteAllFiles", "fs:delete-all" -> delete, all, files / fs, delete, all
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = is_upper(name[i]) ? static_cast<char>(name[i] | 0x20) : name[i];
    const bool begins = is_upper(name[i]) && i > 0 && !is_upper(name[i - 1]);
    if (!is_letter(c) || begins) words.emplace_back();
    if (is_letter(c)) words.back().push_back(c);
  }
  std::erase_if(words, [](const std::string& word) { return word.empty(); });
  return words;
}

template <std::size_t N>
bool has_word(const std::array<std::string_view, N>& known, std::string_view name) {
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  });
}

// What tells a terminal to hide or overwrite text, or does nothing that a line needs.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) return true;
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
    if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) return true;  // U+0080 .. U+009F
  }
  return false;
}

// Letters that people do not see and models read: zero-width, directions, tags, variation selectors
// of the supplement; and controls.
bool has_hidden_letters(std::string_view text) {
  if (has_control(text)) return true;
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[i + at]); };
    if (byte(0) == 0xe2 && byte(1) == 0x80 &&
        ((byte(2) >= 0x8b && byte(2) <= 0x8f) || (byte(2) >= 0xaa && byte(2) <= 0xae)))
      return true;
    if (byte(0) == 0xe2 && byte(1) == 0x81 && byte(2) >= 0xa0 && byte(2) <= 0xaf) return true;
    if (byte(0) == 0xef && byte(1) == 0xbb && byte(2) == 0xbf) return true;
    if (byte(0) == 0xf3 && byte(1) == 0xa0) return true;  // U+E0000 .. U+E0FFF
  }
  return false;
}

bool mentions(std::string_view text, std::string_view name) {
  const auto is_part = [](char c) {
    return is_letter(static_cast<char>(c | 0x20)) || c == '_' || c == '-';
  };
  for (std::size_t at = text.find(name); at != std::string_view::npos;
       at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end])))
      return true;
  }
  return false;
}

void scan_origin(const ServerManifest& manifest, std::vector<ScanFinding>& findings) {
  if (manifest.version.empty()) findings.push_back({"MISSING_VERSION", ScanWeight::kMedium, ""});
  if (manifest.publisher.empty())
    findings.push_back({"MISSING_PUBLISHER", ScanWeight::kMedium, ""});
  if (manifest.source.empty()) findings.push_back({"MISSING_SOURCE", ScanWeight::kHigh, ""});
  if (!manifest.is_verified) findings.push_back({"UNVERIFIED", ScanWeight::kHigh, ""});
}

void scan_permissions(const ServerManifest& manifest, std::vector<ScanFinding>& findings) {
  if (manifest.permissions.empty()) findings.push_back({"NO_PERMISSIONS", ScanWeight::kInfo, ""});
  std::size_t risky = 0;
  for (const std::string& permission : manifest.permissions) {
    const bool is_high = permission == "*" || has_word(kHighRisk, permission);
    if (is_high)
      findings.push_back({"HIGH_RISK_PERMISSION", ScanWeight::kHigh, permission});
    else if (has_word(kMediumRisk, permission))
      findings.push_back({"MEDIUM_RISK_PERMISSION", ScanWeight::kMedium, permission});
    risky += is_high ? 1 : 0;
  }
  if (risky >= kManyRisky) findings.push_back({"EXCESSIVE_PERMISSIONS", ScanWeight::kCritical, ""});
}

void scan_tools(const ServerManifest& manifest, std::vector<ScanFinding>& findings) {
  for (const ServerTool& tool : manifest.tools) {
    if (has_word(kDangerousNames, tool.name))
      findings.push_back({"DANGEROUS_TOOL_NAME", ScanWeight::kHigh, tool.name});
    if (has_hidden_letters(tool.texts) || has_hidden_letters(tool.name))
      findings.push_back({"HIDDEN_TEXT", ScanWeight::kCritical, tool.name});
    const bool speaks_of_others =
        std::any_of(manifest.tools.begin(), manifest.tools.end(), [&](const ServerTool& other) {
          return other.name != tool.name && other.name.size() >= kShortestReference &&
                 other.name.find_first_of("_-.") != std::string::npos &&
                 mentions(tool.texts, other.name);
        });
    if (speaks_of_others)
      findings.push_back({"CROSS_TOOL_REFERENCE", ScanWeight::kMedium, tool.name});
  }
}

}  // namespace

std::string_view name_of(ScanWeight weight) {
  constexpr std::array<std::string_view, 5> kNames = {"info", "low", "medium", "high", "critical"};
  return kNames.at(static_cast<std::size_t>(weight));
}

unsigned points_of(ScanWeight weight) {
  constexpr std::array<unsigned, 5> kPoints = {1, 3, 8, 15, 30};
  return kPoints.at(static_cast<std::size_t>(weight));
}

std::string_view name_of(ScanVerdict verdict) {
  constexpr std::array<std::string_view, 3> kNames = {"allow", "review", "block"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

ScanReport scan_server(const ServerManifest& manifest) {
  ScanReport report;
  scan_origin(manifest, report.findings);
  scan_permissions(manifest, report.findings);
  scan_tools(manifest, report.findings);
  bool is_poisoned = false;
  for (const ScanFinding& finding : report.findings) {
    report.points = std::min(report.points + points_of(finding.weight), kMaxPoints);
    is_poisoned = is_poisoned || finding.rule == "HIDDEN_TEXT";
  }
  if (is_poisoned || report.points >= ScanReport::kBlockAt)
    report.verdict = ScanVerdict::kBlock;
  else if (report.points >= ScanReport::kReviewAt)
    report.verdict = ScanVerdict::kReview;
  return report;
}

}  // namespace aispm::policy
