// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "sdk/core/common/yaml.hpp"
#include "sensor/classify/builtin_signatures.hpp"
#include "sensor/classify/signatures.hpp"

namespace aispm::sensor {
namespace {

bool is_host_pattern(std::string_view text, bool may_glob) {
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         text.find('.') != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [may_glob](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  (may_glob && c == '*');
         });
}

}  // namespace

// Reads files into one Signatures; the first error of a file stops it.
class SignatureReader {
 public:
  Result<> read(const YamlMap& root) {
    if (const std::string schema = root.required_text("schema");
        !schema.empty() && schema != Signatures::kSchema)
      root.reject("schema", "\"" + schema + "\" is not supported, " +
                                std::string(Signatures::kSchema) + " is");
    for (const YamlMap& entry : root.maps("hosts")) read_host(entry);
    for (const YamlMap& entry : root.maps("ports")) read_port(entry);
    for (const YamlMap& entry : root.maps("processes")) read_process(entry);
    for (const YamlMap& entry : root.maps("cases")) check_case(entry);
    return root.finish();
  }

  Signatures take() { return std::move(signatures_); }

 private:
  // Gives the index of the new signature.
  std::size_t read_common(const YamlMap& entry) {
    Signature signature;
    signature.id = entry.required_text("id");
    signature.provider = entry.required_text("provider");
    signature.name = entry.required_text("name");
    signature.category = entry.text("category", "local_model");
    signature.confidence = entry.number("confidence", 0.5, 0.0, 1.0);
    if (!signatures_.ids_.insert(signature.id).second)
      entry.reject("id", "\"" + signature.id + "\" is used twice");
    if (signatures_.signatures_.size() >= kMaxSignatures)
      entry.reject("id", "more than " + std::to_string(kMaxSignatures) + " signatures");
    signatures_.signatures_.push_back(std::move(signature));
    return signatures_.signatures_.size() - 1;
  }

  std::vector<std::string> read_patterns(const YamlMap& entry, const std::string& key) {
    std::vector<std::string> patterns = entry.texts(key);
    if (patterns.size() > kMaxSignaturePatterns)
      entry.reject(key, "more than " + std::to_string(kMaxSignaturePatterns) + " entries");
    return patterns;
  }

  void read_host(const YamlMap& entry) {
    const std::size_t index = read_common(entry);
    std::size_t count = 0;
    for (const std::string key : {"exact", "suffix", "glob"}) {
      for (std::string& pattern : read_patterns(entry, key)) {
        ++count;
        if (!is_host_pattern(pattern, key == "glob")) {
          entry.reject(key, "\"" + pattern + "\" is not a lower-case host name" +
                                (key == "glob" ? " with *" : ""));
        } else if (key == "glob") {
          signatures_.host_globs_.push_back({std::move(pattern), index});
        } else {
          auto& table = key == "exact" ? signatures_.exact_hosts_ : signatures_.host_suffixes_;
          add(entry, key, table, pattern, index);
        }
      }
    }
    if (count == 0) entry.reject("exact", "no host: give exact, suffix or glob");
  }

  void read_port(const YamlMap& entry) {
    const std::size_t index = read_common(entry);
    const auto port = static_cast<std::uint16_t>(entry.integer("port", 0, {1, 65535}));
    if (port == 0) {
      entry.reject("port", "missing, 1..65535 is allowed");
    } else if (!signatures_.ports_.emplace(port, index).second) {
      entry.reject("port", std::to_string(port) + " is used twice");
    }
  }

  void read_process(const YamlMap& entry) {
    const std::size_t index = read_common(entry);
    const auto names = read_patterns(entry, "names");
    if (names.empty()) entry.reject("names", "no program name");
    for (const std::string& name : names) {
      if (name.empty() || name.find('/') != std::string::npos) {
        entry.reject("names", "\"" + name + "\" is not a base name");
      } else {
        add(entry, "names", signatures_.processes_, name, index);
      }
    }
  }

  // A file carries its own proof: what must be found (`expect: id`) and what must not (`expect:
  // none`).
  void check_case(const YamlMap& entry) {
    const Signature* found = nullptr;
    std::string about;
    if (entry.has("host")) {
      about = entry.required_text("host");
      found = signatures_.find_host(about);
    } else if (entry.has("port")) {
      const auto port = entry.integer("port", 1, {1, 65535});
      about = std::to_string(port);
      found = signatures_.find_port(static_cast<std::uint16_t>(port));
    } else {
      model::Process process;
      process.argv = entry.texts("argv");
      about = process.exe = entry.required_text("exe");
      found = signatures_.find_process(process);
    }
    const std::string wanted = entry.required_text("expect");
    const std::string got = found == nullptr ? "none" : found->id;
    if (got != wanted) entry.reject("expect", about + " gives " + got + ", not " + wanted);
  }

  static void add(const YamlMap& entry, const std::string& key,
                  std::unordered_map<std::string, std::size_t>& table, const std::string& pattern,
                  std::size_t index) {
    if (!table.emplace(pattern, index).second)
      entry.reject(key, "\"" + pattern + "\" is in another signature already");
  }

  Signatures signatures_;
};

Result<Signatures> Signatures::parse(const std::string& content, const std::string& name) {
  SignatureReader reader;
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  AISPM_CHECK(reader.read(root));
  return reader.take();
}

Result<Signatures> Signatures::builtin() {
  SignatureReader reader;
  for (const auto& [name, content] : builtin_signature_files()) {
    AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
    AISPM_CHECK(reader.read(root));
  }
  return reader.take();
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
  for (const std::string& path : paths) {
    AISPM_TRY(const YamlMap root, YamlMap::load(path));
    AISPM_CHECK(reader.read(root));
  }
  return reader.take();
}

}  // namespace aispm::sensor
