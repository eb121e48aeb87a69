// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/pack.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "sdk/core/common/yaml.hpp"
#include "sensor/fingerprint/builtin_packs.hpp"

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::pair<std::string_view, Hook> kHooks[] = {
    {"ssl_read", Hook::kSslRead},         {"ssl_write", Hook::kSslWrite},
    {"aead_seal", Hook::kAeadSeal},       {"aead_seal_scatter", Hook::kAeadSealScatter},
    {"aead_open", Hook::kAeadOpen},       {"aead_open_gather", Hook::kAeadOpenGather},
    {"go_read", Hook::kGoRead},           {"go_write", Hook::kGoWrite},
    {"go_handshake", Hook::kGoHandshake}, {"go_close", Hook::kGoClose}};
const std::vector<std::string> kRegisters{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr std::int64_t kMaxLines = 100'000;

class PackReader {
 public:
  explicit PackReader(Packs& packs) : packs_(packs) {}

  Result<> read(const YamlMap& root) {
    if (const std::string schema = root.required_text("schema");
        !schema.empty() && schema != Packs::kSchema)
      root.reject("schema",
                  "\"" + schema + "\" is not supported, " + std::string(Packs::kSchema) + " is");
    packs_.version = std::max(packs_.version, root.required_text("version"));
    for (const YamlMap& entry : root.maps("error_sites")) read_errors(entry);
    for (const YamlMap& entry : root.maps("go")) read_go(entry);
    for (const YamlMap& entry : root.maps("marks")) read_mark(entry);
    return root.finish();
  }

 private:
  std::string read_id(const YamlMap& entry) {
    std::string id = entry.required_text("id");
    if (!ids_.insert(id).second) entry.reject("id", "\"" + id + "\" is used twice");
    return id;
  }

  static std::string read_search_text(const YamlMap& entry, const std::string& key) {
    std::string text = entry.required_text(key);
    if (text.size() < 4 || text.size() > Packs::kMaxText)
      entry.reject(key, "4 to " + std::to_string(Packs::kMaxText) + " bytes are allowed");
    return text;
  }

  static Hook read_hook(const YamlMap& entry, std::string_view kind) {
    std::vector<std::string> allowed;
    for (const auto& [name, hook] : kHooks)
      if (name.starts_with("go_") == (kind == "go")) allowed.emplace_back(name);
    const std::string wanted = entry.choice("hook", "", allowed);
    if (wanted.empty()) entry.reject("hook", "a hook is needed");
    for (const auto& [name, hook] : kHooks)
      if (name == wanted) return hook;
    return Hook::kSslRead;
  }

  static std::uint8_t read_register(const YamlMap& entry, const std::string& key) {
    const std::string name = entry.choice(key, "", kRegisters);
    if (name.empty()) entry.reject(key, "a register is needed");
    const auto at = std::find(kRegisters.begin(), kRegisters.end(), name);
    return static_cast<std::uint8_t>(at == kRegisters.end() ? 0 : at - kRegisters.begin());
  }

  void read_errors(const YamlMap& entry) {
    ErrorPack pack;
    pack.id = read_id(entry);
    pack.source_file = read_search_text(entry, "source_file");
    pack.error_library = static_cast<std::uint32_t>(entry.integer("error_library", 0, {0, 0xffff}));
    for (const YamlMap& call : entry.maps("calls"))
      pack.calls.push_back({read_register(call, "library"), read_register(call, "reason"),
                            read_register(call, "file"), read_register(call, "line")});
    for (const YamlMap& function : entry.maps("functions"))
      pack.functions.push_back(read_function(function, pack));
    if (pack.calls.empty() || pack.functions.empty() ||
        pack.functions.size() > Packs::kMaxFunctions)
      entry.reject("functions", "at least one call and 1 to " +
                                    std::to_string(Packs::kMaxFunctions) + " functions are needed");
    if (packs_.errors.size() >= Packs::kMaxPacks)
      return entry.reject("id", "more than " + std::to_string(Packs::kMaxPacks) + " packs");
    packs_.errors.push_back(std::move(pack));
  }

  static FunctionRule read_function(const YamlMap& entry, const ErrorPack& pack) {
    FunctionRule rule;
    rule.name = entry.required_text("name");
    rule.hook = read_hook(entry, "error_sites");
    rule.only_these = entry.flag("only_these", false);
    rule.symbols = entry.texts("symbols");
    for (const std::string& symbol : rule.symbols)
      if (symbol.size() < 4 || symbol.size() > Packs::kMaxText)
        entry.reject("symbols", "4 to " + std::to_string(Packs::kMaxText) + " bytes are allowed");
    for (const YamlMap& error : entry.maps("errors"))
      rule.errors.push_back({static_cast<std::uint32_t>(error.integer("reason", 0, {0, 0xffff})),
                             error.integer("from", 0, {-kMaxLines, kMaxLines}),
                             error.integer("to", error.integer("from", 0, {-kMaxLines, kMaxLines}),
                                           {-kMaxLines, kMaxLines})});
    if (rule.errors.empty() || rule.errors.size() > Packs::kMaxErrors)
      entry.reject("errors", "1 to " + std::to_string(Packs::kMaxErrors) + " are needed");
    if (!entry.has("before")) return rule;
    const YamlMap before = entry.map("before");
    rule.before = before.required_text("function");
    rule.before_from = before.integer("from", 0, {0, kMaxLines});
    rule.before_to = before.integer("to", rule.before_from, {0, kMaxLines});
    if (std::none_of(pack.functions.begin(), pack.functions.end(),
                     [&](const FunctionRule& other) { return other.name == rule.before; }))
      before.reject("function", "\"" + rule.before + "\" is not a function above this one");
    return rule;
  }

  void read_go(const YamlMap& entry) {
    GoFunction function{entry.required_text("name"), read_hook(entry, "go")};
    if (packs_.go.size() >= Packs::kMaxPacks)
      return entry.reject("name", "more than " + std::to_string(Packs::kMaxPacks) + " functions");
    packs_.go.push_back(std::move(function));
  }

  void read_mark(const YamlMap& entry) {
    Mark mark{read_id(entry), read_search_text(entry, "text"), entry.text("unless", ""),
              entry.required_text("reason")};
    if (packs_.marks.size() >= Packs::kMaxPacks)
      return entry.reject("id", "more than " + std::to_string(Packs::kMaxPacks) + " marks");
    packs_.marks.push_back(std::move(mark));
  }

  Packs& packs_;
  std::set<std::string> ids_;
};

}  // namespace

std::string_view name_of(Hook hook) {
  for (const auto& [name, one] : kHooks)
    if (one == hook) return name;
  return "?";
}

Result<Packs> Packs::parse(const std::string& content, const std::string& name) {
  Packs packs;
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  AISPM_CHECK(PackReader(packs).read(root));
  return packs;
}

Result<Packs> Packs::builtin() {
  Packs packs;
  PackReader reader(packs);
  for (const auto& [name, content] : builtin_pack_files()) {
    AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
    AISPM_CHECK(reader.read(root));
  }
  return packs;
}

Result<Packs> Packs::load(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().native());
  if (error) return fail(Errc::kUnavailable, folder + ": " + error.message(), error.value());
  if (files.size() > kMaxFiles)
    return fail(Errc::kTooLarge, folder + ": more than " + std::to_string(kMaxFiles) + " files");
  if (files.empty()) return fail(Errc::kNotFound, folder + ": no *.yaml in it");
  std::sort(files.begin(), files.end());
  Packs packs;
  PackReader reader(packs);
  for (const std::string& file : files) {
    AISPM_TRY(const YamlMap root, YamlMap::load(file));
    AISPM_CHECK(reader.read(root));
  }
  return packs;
}

}  // namespace aispm::sensor::fingerprint
