// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/claims.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "sensor/classify/program_text.hpp"

namespace aispm::sensor {
namespace {

constexpr std::array<std::string_view, 8> kKinds = {"agent",        "coding_agent", "model_server",
                                                    "mcp_server",   "sdk_client",   "model_file",
                                                    "vector_store", "gpu_user"};

// Which kind of thing evidence of this category and type speaks for.
std::optional<AssetKind> kind_of(const EvidenceItem& one) {
  const std::string& category = one.category;
  const std::string& type = one.item.type;
  if (type == "device") return AssetKind::kGpuUser;
  if (category == "coding_agent" || category == "coding_assistant") return AssetKind::kCodingAgent;
  // What a program asks with makes it a client, whatever it asks.
  const bool asks = type == "domain" || type == "user_agent" || type == "http_header";
  if (category == "mcp") return asks ? AssetKind::kAgent : AssetKind::kMcpServer;
  // Client libraries of a store or a server make no store and no server.
  const bool is_client = asks || type == "import" || type == "package";
  if (category == "vector_db") return is_client ? AssetKind::kSdkClient : AssetKind::kVectorStore;
  if (category == "local_model" || category == "serving" || category == "image_video")
    return asks ? AssetKind::kSdkClient : AssetKind::kModelServer;
  if (category == "agent_framework" || category == "framework" || category == "agent_platform" ||
      category == "desktop_app")
    return AssetKind::kAgent;
  if (category == "sdk" || category == "llm_api" || category == "cloud_ai" ||
      category == "inference_host" || category == "ai_gateway" || type == "llm_call")
    return AssetKind::kSdkClient;
  return std::nullopt;  // only supports
}

std::string join(const std::set<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string owner_key(const model::Process& process) {
  return "uid:" + std::to_string(process.uid) +
         (process.container_id.empty() ? "" : " container:" + process.container_id.substr(0, 12));
}

void add_attribute(Claim& claim, const std::string& name, const std::string& value) {
  if (!value.empty()) claim.attributes[name] = value;
}

// "Claude Code (npm)", "Claude Code headless", "Codex sessions" are Claude Code and Codex.
std::string product_of(const std::string& name) {
  static constexpr std::string_view kVariants[] = {
      " (", " headless", " with ", " transcripts", " sessions", " system config", " managed"};
  std::size_t end = name.size();
  for (const std::string_view variant : kVariants) end = std::min(end, name.find(variant));
  return name.substr(0, end);
}

class Examiner {
 public:
  Examiner(const ProcessFacts& facts, const Signatures& signatures, const std::string& sanctioned)
      : facts_(facts), signatures_(signatures), sanctioned_(sanctioned) {
    for (const auto* list : {&facts.seen, &facts.scanned, &facts.answers})
      for (const EvidenceItem& one : *list)
        if (std::find(all_.begin(), all_.end(), one) == all_.end()) all_.push_back(one);
  }

  std::vector<Claim> run() {
    add_product(AssetKind::kCodingAgent);
    add_product(AssetKind::kModelServer);
    add_product(AssetKind::kVectorStore);
    add_mcp_server();
    const bool is_product = !claims_.empty();
    if (!is_product) add_agent_or_client();
    add_gpu_user();
    for (const ModelFile& model : facts_.models) add_model_file(model);
    return std::move(claims_);
  }

 private:
  // What can be worked out from the process alone.
  Claim begin(AssetKind kind, const std::string& key) const {
    Claim claim;
    claim.kind = kind;
    claim.key = key;
    const model::Process& process = facts_.process;
    add_attribute(claim, "program", program_of(process.exe, process.argv));
    add_attribute(claim, "user", process.user);
    add_attribute(claim, "listen", join(facts_.addresses));
    add_attribute(claim, "models", join(facts_.model_names));
    add_attribute(claim, "container_id", process.container_id);
    add_attribute(claim, "container_image", process.container_image);
    add_attribute(claim, "risky_flags", join(facts_.risky_flags));
    add_attribute(claim, "sanctioned", sanctioned_);
    claim.attributes["running"] = "yes";
    if (facts_.sees_docker_socket) claim.attributes["docker_socket"] = "yes";
    add_risk(claim);
    return claim;
  }

  void add_risk(Claim& claim) const {
    Risk worst;
    std::string provider;
    for (const auto& [name, bytes] : facts_.sent_bytes) {
      const Risk risk = judge_risk(bytes, signatures_.risk_of(name));
      if (risk.score <= worst.score) continue;
      worst = risk;
      provider = name;
    }
    if (provider.empty()) return;
    claim.attributes["risk_score"] = std::to_string(worst.score);
    claim.attributes["risk_level"] = model::name_of(worst.level);
    claim.attributes["risk_provider"] = provider;
  }

  void finish(Claim claim, std::vector<EvidenceItem> evidence) {
    if (!weigh(evidence).is_enough) return;
    claim.evidence = std::move(evidence);
    const auto strongest = std::max_element(
        claim.evidence.begin(), claim.evidence.end(),
        [](const auto& a, const auto& b) { return a.item.weight < b.item.weight; });
    if (claim.name.empty()) claim.name = strongest->name;
    if (claim.provider.empty()) claim.provider = strongest->provider;
    claims_.push_back(std::move(claim));
  }

  // A product: what speaks for it, of any type, and what else bears its maker's name.
  void add_product(AssetKind kind) {
    std::map<std::string, std::vector<EvidenceItem>> by_provider;
    for (const EvidenceItem& one : all_)
      if (kind_of(one) == kind) by_provider[one.provider].push_back(one);
    const std::vector<EvidenceItem>* best = nullptr;
    double highest = 0;
    for (const auto& [provider, list] : by_provider) {
      const Confidence confidence = weigh(list);
      // What runs is known by its name or command line; a shared port alone picks no product.
      if (!confidence.is_enough || confidence.value <= highest) continue;
      best = &list;
      highest = confidence.value;
    }
    if (best == nullptr) return;
    std::vector<EvidenceItem> evidence = *best;
    const std::string provider = evidence.front().provider;
    for (const EvidenceItem& one : all_)
      if (kind_of(one) != kind && one.provider == provider && one.item.type != "device")
        evidence.push_back(one);
    const auto named = std::max_element(
        evidence.begin(), evidence.begin() + static_cast<std::ptrdiff_t>(best->size()),
        [](const auto& a, const auto& b) { return a.item.weight < b.item.weight; });
    const model::Process& process = facts_.process;
    // A user's coding agent is one thing, however often it is started; a server is a program.
    const std::string what = kind == AssetKind::kCodingAgent
                                 ? provider + " " + product_of(named->name)
                                 : program_of(process.exe, process.argv);
    Claim claim = begin(kind, owner_key(process) + " " + what);
    claim.name = kind == AssetKind::kCodingAgent ? product_of(named->name) : named->name;
    claim.provider = provider;
    finish(std::move(claim), std::move(evidence));
  }

  void add_mcp_server() {
    std::vector<EvidenceItem> evidence;
    for (const EvidenceItem& one : all_)
      if (kind_of(one) == AssetKind::kMcpServer) evidence.push_back(one);
    if (evidence.empty()) return;
    const model::Process& process = facts_.process;
    std::string token = mcp_token(process.argv);
    if (const std::string package = npm_package_of(facts_.script_path); !package.empty())
      token = package;
    if (token.empty()) token = program_of(process.exe, process.argv);
    Claim claim = begin(AssetKind::kMcpServer, stdio_mcp_key(process.uid, token));
    claim.name = facts_.mcp_server_name.empty() ? token : facts_.mcp_server_name;
    claim.version = facts_.mcp_server_version;
    claim.attributes["transport"] = facts_.ports.empty() ? "stdio" : "http";
    claim.attributes["command_sha256"] = command_sha256(process.argv);
    finish(std::move(claim), std::move(evidence));
  }

  void add_agent_or_client() {
    std::vector<EvidenceItem> agent;
    std::vector<EvidenceItem> client;
    for (const EvidenceItem& one : all_) {
      const auto kind = kind_of(one);
      if (kind == AssetKind::kAgent) agent.push_back(one);
      if (kind == AssetKind::kSdkClient) client.push_back(one);
    }
    const std::string key =
        owner_key(facts_.process) + " " + program_of(facts_.process.exe, facts_.process.argv);
    const Script script = find_script(facts_.process.exe, facts_.process.argv);
    const std::string name(base_of(script.path.empty() ? facts_.process.exe : script.path));
    std::vector<EvidenceItem> all = agent;
    all.insert(all.end(), client.begin(), client.end());
    const bool is_agent = facts_.offers_tools || weigh(agent).is_enough;
    Claim claim = begin(is_agent ? AssetKind::kAgent : AssetKind::kSdkClient, key);
    if (is_product_app(agent)) {
      claim.name = agent.front().name;
    } else {
      claim.name = name;
      add_attribute(claim, "libraries", library_names(all));
    }
    if (!client.empty()) claim.provider = strongest_provider(client);
    finish(std::move(claim), is_agent ? std::move(all) : std::move(client));
  }

  static std::string_view base_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
  }
  static bool is_product_app(const std::vector<EvidenceItem>& evidence) {
    return !evidence.empty() && evidence.front().item.type == "process";
  }
  static std::string library_names(const std::vector<EvidenceItem>& evidence) {
    std::set<std::string> names;
    for (const EvidenceItem& one : evidence)
      if (one.item.type == "import" || one.item.type == "package") names.insert(one.item.value);
    return join(names);
  }
  // Who was called says more than which library could.
  static std::string strongest_provider(const std::vector<EvidenceItem>& evidence) {
    return std::max_element(
               evidence.begin(), evidence.end(),
               [](const auto& a, const auto& b) { return a.item.weight < b.item.weight; })
        ->provider;
  }

  void add_gpu_user() {
    std::vector<EvidenceItem> evidence;
    for (const EvidenceItem& one : all_)
      if (one.item.type == "device" || one.category == "gpu" || one.category == "ml_framework")
        evidence.push_back(one);
    const auto device = std::find_if(evidence.begin(), evidence.end(),
                                     [](const auto& one) { return one.item.type == "device"; });
    if (device == evidence.end()) return;
    Claim claim =
        begin(AssetKind::kGpuUser, owner_key(facts_.process) + " " +
                                       program_of(facts_.process.exe, facts_.process.argv));
    claim.name = base_of(facts_.process.exe);
    claim.provider = device->provider;
    std::set<std::string> devices;
    for (const EvidenceItem& one : evidence)
      if (one.item.type == "device") devices.insert(one.item.value);
    claim.attributes["devices"] = join(devices);
    claim.attributes["registered"] = sanctioned_.empty() ? "no" : "yes";
    finish(std::move(claim), std::move(evidence));
  }

  void add_model_file(const ModelFile& model);

  const ProcessFacts& facts_;
  const Signatures& signatures_;
  const std::string& sanctioned_;
  std::vector<EvidenceItem> all_;
  std::vector<Claim> claims_;
};

Claim claim_model(const ModelFile& model) {
  Claim claim;
  claim.kind = AssetKind::kModelFile;
  claim.key = model.path;
  claim.name = model.path.substr(model.path.rfind('/') + 1);
  claim.provider = model.provider;
  EvidenceItem evidence;
  evidence.item = {"model_file", model.format, model.rule, model.confidence};
  evidence.provider = model.provider;
  evidence.name = model.format;
  evidence.category = "model_file";
  claim.evidence.push_back(std::move(evidence));
  claim.attributes = model.attributes;
  claim.attributes["path"] = model.path;
  claim.attributes["format"] = model.format;
  claim.attributes["load_risk"] = model.load_risk;
  claim.attributes["size_bytes"] = std::to_string(model.size_bytes);
  if (!model.sha256.empty()) claim.attributes["sha256"] = model.sha256;
  return claim;
}

void Examiner::add_model_file(const ModelFile& model) {
  Claim claim = claim_model(model);
  claim.attributes["used_by"] = program_of(facts_.process.exe, facts_.process.argv);
  claims_.push_back(std::move(claim));
}

Claim claim_mcp(const FoundFile& file, const McpServerEntry& server) {
  Claim claim;
  claim.kind = AssetKind::kMcpServer;
  const bool is_stdio = !server.argv.empty();
  claim.key = is_stdio ? stdio_mcp_key(file.uid, mcp_token(server.argv))
                       : "uid:" + std::to_string(file.uid) + " http " + server.url;
  claim.name = server.name.empty() ? (is_stdio ? mcp_token(server.argv) : server.url) : server.name;
  EvidenceItem evidence = file.evidence;
  evidence.item.type = "mcp_config";
  evidence.item.value = file.path;
  evidence.item.weight = std::max(evidence.item.weight, kEnoughConfidence);
  evidence.weak = false;
  evidence.category = "mcp";
  claim.evidence.push_back(std::move(evidence));
  claim.attributes["transport"] = is_stdio ? "stdio" : "http";
  claim.attributes["config"] = file.path;
  claim.attributes["client"] = file.evidence.name;
  claim.attributes["user"] = file.user;
  if (is_stdio) {
    claim.attributes["command"] = mcp_token(server.argv);
    claim.attributes["configured_command_sha256"] = command_sha256(server.argv);
  } else {
    claim.attributes["url"] = server.url;
  }
  if (server.is_disabled) claim.attributes["disabled"] = "yes";
  std::set<std::string> names;
  std::set<std::string> hashes;
  for (const McpCredential& one : server.credentials) {
    names.insert(one.name);
    if (!one.hash.empty()) hashes.insert(one.name + ": keyed hash " + one.hash);
  }
  add_attribute(claim, "credentials", join(names));
  add_attribute(claim, "credential_hashes", join(hashes));
  return claim;
}

}  // namespace

std::string_view name_of(AssetKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

std::string stdio_mcp_key(std::uint32_t uid, const std::string& token) {
  return "uid:" + std::to_string(uid) + " stdio " + token;
}

std::vector<Claim> claims_of(const ProcessFacts& facts, const Signatures& signatures,
                             const std::string& sanctioned) {
  return Examiner(facts, signatures, sanctioned).run();
}

std::vector<Claim> claims_of(const FoundFile& file) {
  std::vector<Claim> claims;
  for (const McpServerEntry& server : file.servers) claims.push_back(claim_mcp(file, server));
  for (const ModelFile& model : file.models) claims.push_back(claim_model(model));
  // That a coding agent is installed shows in its own files, also while it does not run.
  const bool is_agent =
      file.evidence.category == "coding_agent" || file.evidence.category == "coding_assistant";
  // Rules and project files are written for agents that others may use; an editor has settings
  // without any agent.
  if (!is_agent || file.is_project || file.what == "rules") return claims;
  if (file.what == "mcp" && file.servers.empty()) return claims;
  Claim claim;
  claim.kind = AssetKind::kCodingAgent;
  claim.key =
      "uid:" + std::to_string(file.uid) + " " + file.evidence.provider + " " + file.evidence.name;
  claim.name = file.evidence.name;
  claim.provider = file.evidence.provider;
  claim.evidence = {file.evidence};
  claim.attributes["user"] = file.user;
  claims.push_back(std::move(claim));
  return claims;
}

}  // namespace aispm::sensor
