// SPDX-License-Identifier: Apache-2.0
// How each section of a signature file is read; signature_reader.cpp calls these.
#include <algorithm>

#include "sdk/core/common/c_ptr.hpp"
#include "sensor/classify/http_answer.hpp"
#include "sensor/classify/signature_reader.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMagicBytes = 64;
constexpr std::int64_t kMaxMagicOffset = 4096 - static_cast<std::int64_t>(kMaxMagicBytes);
constexpr std::size_t kMaxCommandPatternBytes = 1000;
const std::vector<std::string> kEcosystems = {"pypi",  "npm",   "go",  "maven",
                                              "nuget", "cargo", "gem", "composer"};

bool is_host_pattern(std::string_view text, bool may_glob) {
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         text.find('.') != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [may_glob](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  (may_glob && c == '*');
         });
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "47475546" as its bytes; nothing when it is no lower-case hex.
std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0 || text.size() > 2 * kMaxMagicBytes) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace

void SignatureReader::read_host(const YamlMap& entry) {
  const Signature* signature = read_common(entry, "llm_api");
  std::size_t count = 0;
  for (const std::string key : {"exact", "suffix", "glob"}) {
    for (const std::string& pattern : read_patterns(entry, key)) {
      ++count;
      if (!is_host_pattern(pattern, key == "glob")) {
        entry.reject(key, "\"" + pattern + "\" is not a lower-case host name" +
                              (key == "glob" ? " with *" : ""));
      } else if (key == "glob") {
        check_new(entry, key, "host_glob", pattern);
        tables_->host_globs.push_back({pattern, signature});
      } else {
        add(entry, key, key == "exact" ? tables_->exact_hosts : tables_->host_suffixes, pattern,
            signature);
      }
    }
  }
  if (count == 0) entry.reject("exact", "no host: give exact, suffix or glob");
}

void SignatureReader::read_port(const YamlMap& entry) {
  const Signature* signature = read_common(entry, "local_model");
  const auto port = static_cast<std::uint16_t>(entry.integer("port", 0, {1, 65535}));
  const std::string probe = entry.text("probe", "");
  if (!probe.empty() && probe.front() != '/') entry.reject("probe", "a path begins with /");
  if (port == 0) return entry.reject("port", "missing, 1..65535 is allowed");
  auto& list = tables_->ports[port];
  std::erase_if(list, [this](const auto& one) { return layer_of(one.signature) < layer_; });
  const bool is_owned =
      std::any_of(list.begin(), list.end(), [](const auto& one) { return !one.signature->weak; });
  if (is_owned || (!list.empty() && !signature->weak))
    entry.reject("port", std::to_string(port) + " is used twice: only `weak` ones may share");
  list.push_back({signature, probe});
}

void SignatureReader::read_process(const YamlMap& entry) {
  const Signature* signature = read_common(entry, "local_model");
  const auto names = read_patterns(entry, "names");
  if (names.empty()) entry.reject("names", "no program name");
  for (const std::string& name : names) {
    if (name.empty() || name.find('/') != std::string::npos) {
      entry.reject("names", "\"" + name + "\" is not a base name");
    } else {
      add(entry, "names", tables_->processes, name, signature);
    }
  }
}

void SignatureReader::read_commands(const YamlMap& root, const std::vector<YamlMap>& entries) {
  if (entries.empty()) return;
  CommandPatterns patterns;
  std::vector<std::string> texts;
  for (const YamlMap& entry : entries) {
    patterns.signatures.push_back(read_common(entry));
    texts.push_back(entry.required_text("pattern"));
    if (texts.back().empty() || texts.back().size() > kMaxCommandPatternBytes)
      return entry.reject("pattern",
                          "1 to " + std::to_string(kMaxCommandPatternBytes) + " bytes are allowed");
    check_new(entry, "pattern", "command", texts.back());
  }
  std::vector<const char*> expressions;
  std::vector<unsigned> flags(texts.size(), HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL);
  std::vector<unsigned> ids(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    expressions.push_back(texts[i].c_str());
    ids[i] = static_cast<unsigned>(i);
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(expressions.data(), flags.data(), ids.data(),
                       static_cast<unsigned>(ids.size()), HS_MODE_BLOCK, nullptr, &database,
                       &error) != HS_SUCCESS) {
    const CPtr<hs_compile_error_t, hs_free_compile_error> owned(error);
    const int index = error->expression;
    return (index >= 0 ? entries[static_cast<std::size_t>(index)] : root)
        .reject(index >= 0 ? "pattern" : "commands", error->message);
  }
  patterns.database.reset(database, hs_free_database);
  tables_->commands.push_back(std::move(patterns));
}

void SignatureReader::read_package(const YamlMap& entry) {
  const Signature* signature = read_common(entry, "sdk");
  std::size_t count = 0;
  for (const std::string& ecosystem : kEcosystems) {
    for (const std::string& name : read_patterns(entry, ecosystem)) {
      ++count;
      add(entry, ecosystem, tables_->packages[ecosystem],
          ecosystem == "pypi" ? normal_pypi_name(name) : name, signature);
    }
  }
  if (count == 0) entry.reject("id", "no package: give pypi, npm, go, maven, nuget, cargo, ...");
}

void SignatureReader::read_file(const YamlMap& entry) {
  const Signature* signature = read_common(entry);
  const std::string what =
      entry.choice("what", "config", {"config", "mcp", "skills", "rules", "plugins"});
  const std::string key = entry.text("key", "");
  const auto paths = read_patterns(entry, "paths");
  if (paths.empty()) entry.reject("paths", "no path");
  for (const std::string& path : paths) {
    if (path.find("..") != std::string::npos || path.ends_with('/'))
      entry.reject("paths", "\"" + path + "\": no \"..\" and no / at the end");
    check_new(entry, "paths", "file " + what, path);
    tables_->files.push_back({path, what, key, signature});
  }
}

void SignatureReader::read_model(const YamlMap& entry) {
  ModelSignature model;
  model.signature = read_common(entry, "model_file");
  model.extensions = read_patterns(entry, "extensions");
  model.offset = static_cast<std::size_t>(entry.integer("offset", 0, {0, kMaxMagicOffset}));
  model.by = entry.choice("by", "magic", {"magic", "heuristic", "structure"});
  model.load_risk = entry.choice("load_risk", "low", {"low", "medium", "high"});
  const std::string magic = entry.text("magic", "");
  if (const auto bytes = from_hex(magic))
    model.magic = *bytes;
  else
    entry.reject("magic", "lower-case hex of at most " + std::to_string(kMaxMagicBytes) +
                              " bytes is allowed");
  if (model.magic.empty() && model.by != "structure") entry.reject("magic", "missing");
  if (model.extensions.empty()) entry.reject("extensions", "no extension or name");
  tables_->models.push_back(std::move(model));
}

void SignatureReader::read_path(const YamlMap& entry) {
  const Signature* signature = read_common(entry);
  const std::string method = entry.choice("method", "GET", {"GET", "POST", "PUT", "DELETE"});
  const auto paths = read_patterns(entry, "paths");
  if (paths.empty()) entry.reject("paths", "no path");
  for (const std::string& path : paths) {
    if (!path.starts_with('/')) entry.reject("paths", "\"" + path + "\" does not begin with /");
    check_new(entry, "paths", "path " + method, path);
    tables_->paths.push_back({method, path, signature});
  }
}

void SignatureReader::read_fingerprint(const YamlMap& entry) {
  HttpFingerprint print;
  print.signature = read_common(entry);
  print.method = entry.choice("method", "GET", {"GET", "POST"});
  print.path = entry.required_text("path");
  if (!print.path.starts_with('/')) entry.reject("path", "a path begins with /");
  print.any_of = read_patterns(entry, "any_of");
  if (print.any_of.empty()) entry.reject("any_of", "no condition");
  for (const std::string& condition : print.any_of)
    if (const auto parsed = parse_answer_condition(condition); !parsed)
      entry.reject("any_of", parsed.error().message);
  tables_->fingerprints.push_back(std::move(print));
}

void SignatureReader::read_extension(const YamlMap& entry) {
  const Signature* signature = read_common(entry, "coding_assistant");
  std::size_t count = 0;
  for (const std::string ecosystem : {"vscode", "chrome"}) {
    for (const std::string& id : read_patterns(entry, ecosystem)) {
      ++count;
      add(entry, ecosystem, tables_->extensions[ecosystem], lower(id), signature);
    }
  }
  if (count == 0) entry.reject("id", "no extension: give vscode or chrome");
}

void SignatureReader::read_risk(const YamlMap& entry) {
  const std::string provider = entry.required_text("provider");
  check_new(entry, "provider", "risk", provider);
  tables_->risks[provider] = {entry.number("risk", 0.6, 0.0, 1.0),
                              entry.number("compliance", 0.6, 0.0, 1.0)};
}

void SignatureReader::read_table(const YamlMap& entry, const std::string& key, PatternTable& table,
                                 bool is_lower) {
  const Signature* signature = read_common(entry);
  const auto patterns = read_patterns(entry, key);
  if (patterns.empty()) entry.reject(key, "none given");
  for (const std::string& pattern : patterns)
    add(entry, key, table, is_lower ? lower(pattern) : pattern, signature);
}

void SignatureReader::read_list(const YamlMap& entry, const std::string& key,
                                std::vector<PatternList>& list) {
  const Signature* signature = read_common(entry);
  const auto patterns = read_patterns(entry, key);
  if (patterns.empty()) entry.reject(key, "none given");
  for (const std::string& pattern : patterns) {
    check_new(entry, key, key, pattern);
    list.push_back({pattern, signature});
  }
}

// A file carries its own proof: what must be found (`expect: id`) and what must not (`expect:
// none`).
void SignatureReader::check_case(const YamlMap& entry) {
  const std::string wanted = entry.required_text("expect");
  const auto [about, found] = find_case(entry);
  const std::string got = found == nullptr ? "none" : found->id;
  if (got != wanted) entry.reject("expect", about + " gives " + got + ", not " + wanted);
}

std::pair<std::string, const Signature*> SignatureReader::find_case(const YamlMap& entry) {
  const Signatures asked(tables_);
  const auto text = [&entry](const char* key) { return entry.required_text(key); };
  if (entry.has("host")) return {text("host"), asked.find_host(text("host"))};
  if (entry.has("port")) {
    const auto port = entry.integer("port", 1, {1, 65535});
    return {std::to_string(port), asked.find_port(static_cast<std::uint16_t>(port))};
  }
  if (entry.has("command")) {
    auto matcher = asked.make_command_matcher();
    if (!matcher) return {matcher.error().message, nullptr};
    const auto found = matcher->match(text("command"));
    return {text("command"), found.empty() ? nullptr : found.front()};
  }
  if (entry.has("package"))
    return {text("package"), asked.find_package(text("ecosystem"), text("package"))};
  if (entry.has("variable")) return {text("variable"), asked.find_variable(text("variable"))};
  if (entry.has("file")) return {text("file"), asked.find_file(text("file"))};
  if (entry.has("user_agent"))
    return {text("user_agent"), asked.find_user_agent(text("user_agent"))};
  if (entry.has("header")) return {text("header"), asked.find_header(text("header"))};
  if (entry.has("path")) return {text("path"), asked.find_path(text("method"), text("path"))};
  if (entry.has("image")) return {text("image"), asked.find_image(text("image"))};
  if (entry.has("app")) return {text("app"), asked.find_app(text("app"))};
  if (entry.has("extension"))
    return {text("extension"),
            asked.find_extension(entry.text("ecosystem", "vscode"), text("extension"))};
  if (entry.has("library")) return {text("library"), asked.find_library(text("library"))};
  if (entry.has("device")) return {text("device"), asked.find_device(text("device"))};
  model::Process process;
  process.argv = entry.texts("argv");
  process.exe = entry.required_text("exe");
  return {process.exe, asked.find_process(process)};
}

}  // namespace aispm::sensor
