// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/tools.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <iostream>

#include "sdk/cli/text.hpp"
#include "sdk/core/codec/tool_definitions.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/tool_scan.hpp"

namespace aispm::cli {
namespace {

namespace json = boost::json;
using policy::Bundle;

constexpr const char* kPins = "/pins.yaml";
constexpr std::string_view kLine = "  - ";

// Pins as this program writes them: one JSON object a line, so that one can be taken out again.
using Pins = std::vector<json::object>;

std::string text_at(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

Result<std::string> read_list(const std::string& file) {
  if (file != "-") return read_file(file, codec::kMaxToolListBytes);
  std::string text(codec::kMaxToolListBytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  return text;
}

Result<Pins> read_pins(const std::string& file) {
  Pins pins;
  if (!std::filesystem::exists(file)) return pins;
  AISPM_TRY(const std::string text, read_file(file, policy::ToolGate::kMaxBytes));
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.empty() || line.front() == '#' || line == "pins:") continue;
    boost::system::error_code error;
    json::value value;
    if (line.substr(0, kLine.size()) == kLine) {
      const std::string_view body = line.substr(kLine.size());
      value = json::parse(json::string_view(body.data(), body.size()), error);
    }
    if (error || !value.is_object())
      return fail(Errc::kInvalid, file + ":" + std::to_string(number) +
                                      ": is not as `aispm tool` writes it; change it by hand");
    pins.push_back(std::move(value.get_object()));
  }
  return pins;
}

std::string render(const Pins& pins) {
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n# Written by `aispm tool`, a tool a line.\npins:\n";
  for (const json::object& pin : pins) text.append(kLine).append(json::serialize(pin)) += "\n";
  return text;
}

std::string user_name() {
  const passwd* user = ::getpwuid(::getuid());
  return user == nullptr ? std::to_string(::getuid()) : user->pw_name;
}

Result<> write_pins(const std::string& folder, const Pins& pins) {
  AISPM_TRY(auto files, policy::read_safe_folder(folder));
  const std::string text = render(pins);
  std::erase_if(files, [](const policy::FolderFile& file) {
    return file.path == "pins.yaml" || file.path == Bundle::kSignatureFile;
  });
  files.push_back({"pins.yaml", text});
  AISPM_CHECK(Bundle::compile(files));
  return write_file_atomically(folder + kPins, text, 0644);
}

bool is_of(const json::object& pin, const std::string& tool, const std::string& provider) {
  return text_at(pin, "tool") == tool && text_at(pin, "provider") == provider;
}

json::object new_pin(const std::string& tool, const ToolReview& review, const char* state,
                     const Output& output) {
  json::object pin{{"tool", tool}};
  if (!review.provider.empty()) pin["provider"] = review.provider;
  pin["state"] = state;
  if (!review.reason.empty()) pin["reason"] = review.reason;
  pin["by"] = user_name();
  pin["at"] = to_rfc3339(output.now);
  return pin;
}

void tell_signature(const std::string& bundle, const Output& output) {
  if (!output.json && std::filesystem::exists(bundle + "/" + Bundle::kSignatureFile))
    output.stream << "The signature no longer holds; sign the bundle again.\n";
}

std::vector<std::string> texts_at(const json::object& object, const char* key) {
  std::vector<std::string> texts;
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return texts;
  for (const json::value& one : value->get_array())
    if (one.is_string()) texts.emplace_back(one.get_string());
  return texts;
}

policy::ServerManifest manifest_of(const json::value& root) {
  policy::ServerManifest manifest;
  const json::array* tools = root.if_array();
  if (const json::object* object = root.if_object()) {
    if (const json::value* result = object->if_contains("result"); result && result->is_object())
      object = &result->get_object();
    manifest = {.name = text_at(*object, "name"),
                .version = text_at(*object, "version"),
                .publisher = text_at(*object, "publisher"),
                .source = text_at(*object, "source"),
                .permissions = texts_at(*object, "permissions"),
                .tools = {}};
    const json::value* verified = object->if_contains("verified");
    manifest.is_verified = verified != nullptr && verified->is_bool() && verified->get_bool();
    const json::value* list = object->if_contains("tools");
    tools = list == nullptr ? nullptr : list->if_array();
  }
  if (tools == nullptr) return manifest;
  for (const json::value& tool : *tools)
    if (tool.is_object())
      manifest.tools.push_back({text_at(tool.get_object(), "name"), json::serialize(tool)});
  return manifest;
}

Result<> fill_definitions(const std::vector<codec::ToolDefinition>& tools, const Bundle* bundle,
                          const std::string& provider, json::array& definitions) {
  for (const codec::ToolDefinition& tool : tools) {
    json::object one{{"tool", tool.name},
                     {"description", tool.description_sha256},
                     {"schema", tool.schema_sha256}};
    if (bundle != nullptr) {
      const policy::ToolVerdict said = bundle->tools()->judge_sight(
          tool.name, provider,
          {.description = tool.description_sha256, .schema = tool.schema_sha256});
      one["outcome"] = model::name_of(said.outcome);
      one["rule"] = said.rule_id;
    }
    definitions.push_back(std::move(one));
  }
  return {};
}

Result<std::shared_ptr<const Bundle>> load_tools(const std::string& folder) {
  AISPM_TRY(auto bundle, Bundle::load(folder));
  if (bundle->tools() == nullptr) return fail(Errc::kNotFound, folder + ": has no tools.yaml");
  return bundle;
}

}  // namespace

Result<> list_tools(const std::string& folder, const Output& output) {
  AISPM_TRY(const auto bundle, load_tools(folder));
  json::array list;
  for (const policy::Tool& tool : bundle->tools()->registry().tools()) {
    const std::string state = tool.is_blocked     ? "blocked"
                              : tool.pins.empty() ? "unpinned"
                                                  : "pinned";
    list.push_back({{"tool", tool.name.text()},
                    {"provider", tool.provider.text()},
                    {"version", tool.version},
                    {"publisher", tool.publisher},
                    {"verified", tool.is_verified},
                    {"risk", tool.risk},
                    {"scope", tool.scope},
                    {"state", state},
                    {"pins", tool.pins.size()}});
    if (output.json) continue;
    std::string line = tool.name.text();
    line.resize(std::max<std::size_t>(line.size() + 1, 28), ' ');
    line += state;
    line.resize(std::max<std::size_t>(line.size() + 1, 38), ' ');
    output.stream << safe(line + tool.provider.text() + "  " + tool.scope) << "\n";
  }
  if (output.json) output.stream << json::serialize(list) << "\n";
  return {};
}

Result<> scan_tools(const std::string& file, const std::string& folder, const Output& output) {
  AISPM_TRY(const std::string text, read_list(file));
  const auto tools = codec::read_tool_list(text);
  if (!tools) return fail(tools.error().code, file + ": " + tools.error().message);
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error) return fail(Errc::kInvalid, file + ": " + error.message());
  std::shared_ptr<const Bundle> bundle;
  if (!folder.empty()) {
    AISPM_TRY(bundle, load_tools(folder));
  }
  const policy::ServerManifest manifest = manifest_of(root);
  const policy::ScanReport report = policy::scan_server(manifest);
  json::array findings;
  for (const policy::ScanFinding& finding : report.findings)
    findings.push_back({{"rule", finding.rule},
                        {"weight", policy::name_of(finding.weight)},
                        {"subject", finding.subject}});
  json::array definitions;
  AISPM_CHECK(fill_definitions(*tools, bundle.get(), manifest.name, definitions));
  if (output.json) {
    output.stream << json::serialize(json::object{{"verdict", policy::name_of(report.verdict)},
                                                  {"points", report.points},
                                                  {"findings", findings},
                                                  {"tools", definitions}})
                  << "\n";
    return {};
  }
  output.stream << policy::name_of(report.verdict) << ", " << report.points << " of 100 points\n";
  for (const policy::ScanFinding& finding : report.findings)
    output.stream << "  " << policy::name_of(finding.weight) << "  " << finding.rule << "  "
                  << safe(finding.subject) << "\n";
  for (const json::value& one : definitions) {
    const json::object& tool = one.get_object();
    output.stream << "  " << safe(text_at(tool, "tool")) << "  " << text_at(tool, "rule") << "\n";
  }
  return {};
}

Result<std::vector<ScannedTool>> scan_definitions(const std::string& file) {
  AISPM_TRY(const std::string text, read_list(file));
  const auto tools = codec::read_tool_list(text);
  if (!tools) return fail(tools.error().code, file + ": " + tools.error().message);
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error) return fail(Errc::kInvalid, file + ": " + error.message());
  const policy::ScanReport report = policy::scan_server(manifest_of(root));
  std::vector<ScannedTool> scanned;
  for (const codec::ToolDefinition& tool : *tools) {
    ScannedTool one{tool.name, tool.description_sha256, tool.schema_sha256, {}};
    for (const policy::ScanFinding& finding : report.findings)
      if (finding.subject == tool.name) one.findings.push_back(finding.rule);
    scanned.push_back(std::move(one));
  }
  return scanned;
}

Result<> approve_tool(const ToolReview& review, const Output& output) {
  AISPM_TRY(const std::string text, read_list(review.list));
  const auto tools = codec::read_tool_list(text);
  if (!tools) return fail(tools.error().code, review.list + ": " + tools.error().message);
  AISPM_TRY(Pins pins, read_pins(review.bundle + kPins));
  std::size_t approved = 0;
  for (const codec::ToolDefinition& tool : *tools) {
    if (!review.tool.empty() && tool.name != review.tool) continue;
    json::object pin = new_pin(tool.name, review, "approved", output);
    pin["description"] = tool.description_sha256;
    pin["schema"] = tool.schema_sha256;
    std::erase_if(pins, [&](const json::object& old) {
      const bool is_same = text_at(old, "description") == tool.description_sha256 &&
                           text_at(old, "schema") == tool.schema_sha256;
      return is_of(old, tool.name, review.provider) &&
             (review.only || is_same || text_at(old, "state") == "blocked");
    });
    pins.push_back(std::move(pin));
    ++approved;
  }
  if (approved == 0)
    return fail(Errc::kNotFound, review.list + ": has no tool `" + review.tool + "`");
  AISPM_CHECK(write_pins(review.bundle, pins));
  output.stream << "Approved: " << approved << "\n";
  tell_signature(review.bundle, output);
  return {};
}

Result<> block_tool(const ToolReview& review, const Output& output) {
  AISPM_TRY(Pins pins, read_pins(review.bundle + kPins));
  std::erase_if(pins, [&](const json::object& old) {
    return is_of(old, review.tool, review.provider) && text_at(old, "state") == "blocked";
  });
  pins.push_back(new_pin(review.tool, review, "blocked", output));
  AISPM_CHECK(write_pins(review.bundle, pins));
  output.stream << "Blocked: " << safe(review.tool) << "\n";
  tell_signature(review.bundle, output);
  return {};
}

}  // namespace aispm::cli
