// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/signature_reader.hpp"

#include <algorithm>
#include <filesystem>

#include "sensor/classify/builtin_signatures.hpp"

namespace aispm::sensor {

Result<> SignatureReader::read(const YamlMap& root) {
  if (const std::string schema = root.required_text("schema");
      !schema.empty() && schema != Signatures::kSchema)
    root.reject("schema",
                "\"" + schema + "\" is not supported, " + std::string(Signatures::kSchema) + " is");
  for (const std::string& id : root.texts("disabled"))
    if (tables_->ids.erase(id) == 0)
      root.reject("disabled", "there is no signature \"" + id + "\"");
  const auto each = [&root](const char* section, auto read_one) {
    for (const YamlMap& entry : root.maps(section)) read_one(entry);
  };
  SignatureTables& tables = *tables_;
  each("hosts", [this](const auto& entry) { read_host(entry); });
  each("ports", [this](const auto& entry) { read_port(entry); });
  each("processes", [this](const auto& entry) { read_process(entry); });
  read_commands(root, root.maps("commands"));
  each("packages", [this](const auto& entry) { read_package(entry); });
  each("environment",
       [&](const auto& entry) { read_table(entry, "names", tables.variables, false); });
  each("files", [this](const auto& entry) { read_file(entry); });
  each("models", [this](const auto& entry) { read_model(entry); });
  each("user_agents", [&](const auto& entry) { read_list(entry, "contains", tables.user_agents); });
  each("headers", [&](const auto& entry) { read_table(entry, "names", tables.headers, true); });
  each("paths", [this](const auto& entry) { read_path(entry); });
  each("fingerprints", [this](const auto& entry) { read_fingerprint(entry); });
  each("images", [&](const auto& entry) { read_list(entry, "prefixes", tables.images); });
  each("apps", [&](const auto& entry) { read_table(entry, "bundles", tables.apps, false); });
  each("extensions", [this](const auto& entry) { read_extension(entry); });
  each("libraries",
       [&](const auto& entry) { read_table(entry, "names", tables.libraries, false); });
  each("devices", [&](const auto& entry) { read_list(entry, "paths", tables.devices); });
  each("risks", [this](const auto& entry) { read_risk(entry); });
  each("cases", [this](const auto& entry) { check_case(entry); });
  return root.finish();
}

const Signature* SignatureReader::read_common(const YamlMap& entry,
                                              const std::string& default_category) {
  Signature signature;
  signature.id = entry.required_text("id");
  signature.provider = entry.required_text("provider");
  signature.name = entry.required_text("name");
  signature.category = entry.text("category", default_category);
  signature.confidence = entry.number("confidence", 0.5, 0.0, 1.0);
  signature.weak = entry.flag("weak", false);
  const auto same = tables_->ids.find(signature.id);
  if (same != tables_->ids.end() && layer_of(same->second) == layer_)
    entry.reject("id", "\"" + signature.id + "\" is used twice");
  if (tables_->signatures.size() >= kMaxSignatures)
    entry.reject("id", "more than " + std::to_string(kMaxSignatures) + " signatures");
  const Signature* added = &tables_->signatures.emplace_back(std::move(signature));
  layers_.emplace(added, layer_);
  tables_->ids.insert_or_assign(added->id, added);
  return added;
}

std::vector<std::string> SignatureReader::read_patterns(const YamlMap& entry,
                                                        const std::string& key) {
  std::vector<std::string> patterns = entry.texts(key);
  if (patterns.size() > kMaxSignaturePatterns)
    entry.reject(key, "more than " + std::to_string(kMaxSignaturePatterns) + " entries");
  for (const std::string& pattern : patterns)
    if (pattern.empty()) entry.reject(key, "an empty pattern");
  return patterns;
}

void SignatureReader::add(const YamlMap& entry, const std::string& key, PatternTable& table,
                          const std::string& pattern, const Signature* signature) {
  const auto [place, is_new] = table.emplace(pattern, signature);
  if (is_new) return;
  if (layer_of(place->second) == layer_)
    entry.reject(key, "\"" + pattern + "\" is in another signature already");
  place->second = signature;
}

void SignatureReader::check_new(const YamlMap& entry, const std::string& key,
                                const std::string& space, const std::string& pattern) {
  if (!seen_.insert(std::to_string(layer_) + " " + space + " " + pattern).second)
    entry.reject(key, "\"" + pattern + "\" is in another signature already");
}

namespace {

template <typename List, typename LayerOf, typename IsLive>
void prune(List& list, LayerOf layer_of, IsLive is_live) {
  std::erase_if(list, [&](const auto& one) { return !is_live(one.signature); });
  std::stable_sort(list.begin(), list.end(), [&](const auto& a, const auto& b) {
    return layer_of(a.signature) > layer_of(b.signature);
  });
}

}  // namespace

Signatures SignatureReader::take() {
  SignatureTables& tables = *tables_;
  const auto is_live = [&tables](const Signature* one) { return tables.is_live(one); };
  const auto layer = [this](const Signature* one) { return layer_of(one); };
  for (PatternTable* table : {&tables.exact_hosts, &tables.host_suffixes, &tables.processes,
                              &tables.variables, &tables.headers, &tables.apps, &tables.libraries})
    std::erase_if(*table, [&](const auto& one) { return !is_live(one.second); });
  for (auto* spaces : {&tables.packages, &tables.extensions})
    for (auto& [space, table] : *spaces)
      std::erase_if(table, [&](const auto& one) { return !is_live(one.second); });
  for (auto* list : {&tables.host_globs, &tables.user_agents, &tables.images, &tables.devices})
    prune(*list, layer, is_live);
  prune(tables.files, layer, is_live);
  prune(tables.models, layer, is_live);
  prune(tables.paths, layer, is_live);
  prune(tables.fingerprints, layer, is_live);
  for (auto& [port, list] : tables.ports) prune(list, layer, is_live);
  return Signatures(std::move(tables_));
}

Result<Signatures> Signatures::parse(const std::string& content, const std::string& name) {
  SignatureReader reader;
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  AISPM_CHECK(reader.read(root));
  return reader.take();
}

namespace {

Result<> read_builtin(SignatureReader& reader) {
  for (const auto& [name, content] : builtin_signature_files()) {
    AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
    AISPM_CHECK(reader.read(root));
  }
  return {};
}

}  // namespace

Result<Signatures> Signatures::builtin() {
  // They cannot change while the program runs.
  static const Result<Signatures> kBuiltin = []() -> Result<Signatures> {
    SignatureReader reader;
    AISPM_CHECK(read_builtin(reader));
    return reader.take();
  }();
  return kBuiltin;
}

Result<Signatures> Signatures::load(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->path().extension() == ".yaml") paths.push_back(entry->path().string());
  if (error) return fail(Errc::kUnavailable, "signatures " + folder + ": " + error.message());
  if (paths.empty()) return fail(Errc::kNotFound, "signatures " + folder + ": no *.yaml");
  if (paths.size() > kMaxSignatureFiles)
    return fail(Errc::kTooLarge, "signatures " + folder + ": more than " +
                                     std::to_string(kMaxSignatureFiles) + " files");
  std::sort(paths.begin(), paths.end());
  SignatureReader reader;
  AISPM_CHECK(read_builtin(reader));
  reader.start_layer();
  for (const std::string& path : paths) {
    AISPM_TRY(const YamlMap root, YamlMap::load(path));
    AISPM_CHECK(reader.read(root));
  }
  return reader.take();
}

}  // namespace aispm::sensor
