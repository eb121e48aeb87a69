// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/inventory.hpp"

#include <algorithm>

#include "sensor/classify/program_text.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kTickNanoseconds = 10'000'000;
constexpr std::size_t kMaxNames = 32;  // models, providers, ports remembered of one process
constexpr std::size_t kMaxSeen = 64;   // pieces of live evidence of one process
constexpr double kConfiguredWeight = 0.6;
constexpr double kCallWeight = 1.0;  // plaintext of a call

// The rule is the signature's, where one knows the thing.
EvidenceItem observed(std::string type, std::string value, std::string rule, double weight,
                      std::string provider, std::string category) {
  EvidenceItem made;
  made.item = {std::move(type), std::move(value), std::move(rule), weight};
  made.name = provider;
  made.provider = std::move(provider);
  made.category = std::move(category);
  return made;
}

}  // namespace

Inventory::Inventory(Signatures signatures, Registry registry, std::string host)
    : signatures_(std::move(signatures)), registry_(std::move(registry)), host_(std::move(host)) {
  if (auto matcher = signatures_.make_command_matcher()) commands_ = std::move(*matcher);
}

Result<> Inventory::replace(Signatures signatures) {
  AISPM_TRY(CommandMatcher matcher, signatures.make_command_matcher());
  commands_ = std::move(matcher);
  signatures_ = std::move(signatures);
  return {};
}

Inventory::Who Inventory::who(const ProcessId& id) {
  return {id.pid, id.start.nanoseconds / kTickNanoseconds};
}

bool Inventory::is_known(const ProcessId& id) const { return processes_.contains(who(id)); }

Inventory::Known* Inventory::know(const model::Process& process) {
  const Who key = who(process.id);
  if (const auto found = processes_.find(key); found != processes_.end()) return &found->second;
  if (processes_.size() >= kMaxProcesses) {
    ++refused_;
    return nullptr;
  }
  Known& known = processes_[key];
  known.facts.process = process;
  return &known;
}

bool Inventory::add_seen(Known& known, EvidenceItem evidence) {
  auto& seen = known.facts.seen;
  const bool is_old = std::any_of(seen.begin(), seen.end(), [&](const EvidenceItem& one) {
    return one.item.type == evidence.item.type && one.item.value == evidence.item.value &&
           one.item.rule == evidence.item.rule;
  });
  if (is_old || seen.size() >= kMaxSeen) return false;
  seen.push_back(std::move(evidence));
  return true;
}

std::vector<EvidenceItem> Inventory::look_at_program(const model::Process& process,
                                                     std::set<std::string>& risky) {
  std::vector<EvidenceItem> evidence;
  if (const Signature* found = signatures_.find_process(process))
    evidence.push_back(
        make_evidence("process", process.exe.substr(process.exe.rfind('/') + 1), *found));
  if (commands_) {
    for (const Signature* found : commands_->match(process.argv)) {
      if (found->category == "risky_flag")
        risky.insert(found->name);
      else
        evidence.push_back(make_evidence("command_line", found->name, *found));
    }
  }
  if (!configured_.empty()) {
    const std::string token = mcp_token(process.argv);
    if (!token.empty() && configured_.contains(stdio_mcp_key(process.uid, token)))
      evidence.push_back(observed("mcp_config", "runs " + token, "mcp.configured",
                                  kConfiguredWeight, "mcp", "mcp"));
  }
  if (const Signature* image = process.container_image.empty()
                                   ? nullptr
                                   : signatures_.find_image(process.container_image))
    evidence.push_back(make_evidence("image", process.container_image, *image));
  return evidence;
}

void Inventory::on_exec(const model::Process& process) {
  on_exit(process.id);  // another program in the same process
  std::set<std::string> risky;
  std::vector<EvidenceItem> evidence = look_at_program(process, risky);
  if (evidence.empty()) return;
  Known* known = know(process);
  if (known == nullptr) return;
  known->facts.seen = std::move(evidence);
  known->facts.risky_flags = std::move(risky);
  judge(who(process.id), *known);
}

void Inventory::on_listen(const model::Process& process, const model::SocketListen& listen) {
  const auto& ports = signatures_.find_ports(listen.port);
  if (ports.empty() && !is_known(process.id)) return;
  Known* known = know(process);
  if (known == nullptr || known->facts.ports.size() >= kMaxNames) return;
  known->facts.ports.insert(listen.port);
  known->facts.addresses.insert(listen.address + ":" + std::to_string(listen.port));
  for (const PortSignature& port : ports)
    add_seen(*known, make_evidence("port", std::to_string(listen.port), *port.signature));
  judge(who(process.id), *known);
}

void Inventory::on_host(const model::Process& process, std::string_view host) {
  const Signature* found = signatures_.find_host(host);
  if (found == nullptr) return;
  Known* known = know(process);
  if (known == nullptr) return;
  if (add_seen(*known, make_evidence("domain", normal_host(host), *found)))
    judge(who(process.id), *known);
}

void Inventory::on_client_words(const model::Process& process, std::string_view user_agent,
                                const std::vector<std::string>& headers) {
  std::vector<EvidenceItem> found;
  if (const Signature* agent = signatures_.find_user_agent(user_agent))
    found.push_back(make_evidence("user_agent", std::string(user_agent), *agent));
  for (const std::string& name : headers)
    if (const Signature* header = signatures_.find_header(name))
      found.push_back(make_evidence("http_header", name, *header));
  if (found.empty()) return;
  Known* known = know(process);
  if (known == nullptr) return;
  bool is_news = false;
  for (EvidenceItem& one : found) is_news = add_seen(*known, std::move(one)) || is_news;
  if (is_news) judge(who(process.id), *known);
}

void Inventory::on_llm_call(const model::Process& process, const model::LlmCall& call,
                            bool is_server) {
  if (is_server) return on_llm_served(process, call);
  Known* known = know(process);
  if (known == nullptr) return;
  ProcessFacts& facts = known->facts;
  const Signature* host = signatures_.find_host(call.host);
  add_seen(*known, observed("llm_call", call.api, host != nullptr ? host->id : "api." + call.api,
                            kCallWeight, call.provider, "llm_api"));
  if (!call.request_model.empty() && facts.model_names.size() < kMaxNames)
    facts.model_names.insert(call.request_model);
  if (facts.sent_bytes.size() < kMaxNames || facts.sent_bytes.contains(call.provider))
    facts.sent_bytes[call.provider] += call.request_bytes;
  facts.offers_tools = facts.offers_tools || !call.tools_offered.empty();
  judge(who(process.id), *known);
}

void Inventory::on_llm_served(const model::Process& process, const model::LlmCall& call) {
  Known* known = know(process);
  if (known == nullptr) return;
  ProcessFacts& facts = known->facts;
  add_seen(*known, observed("llm_call", "answers " + call.api, "api." + call.api, kCallWeight,
                            call.provider, "local_model"));
  if (!call.request_model.empty() && facts.model_names.size() < kMaxNames)
    facts.model_names.insert(call.request_model);
  judge(who(process.id), *known);
}

void Inventory::on_mcp_call(const model::Process& client, const model::McpCall& call) {
  if (call.protocol != "mcp") return;
  const auto evidence = [&call](const char* value, const char* category) {
    return observed("mcp_call", value, "api.mcp." + call.transport, kCallWeight, "mcp", category);
  };
  if (Known* known = know(client)) {
    // Whoever uses tools is an agent, if a program at all.
    add_seen(*known, evidence("client", "agent_framework"));
    judge(who(client.id), *known);
  }
  if (!call.server_process) return;
  if (Known* known = know(*call.server_process)) {
    known->facts.is_mcp_server = true;
    if (!call.server_name.empty()) {
      known->facts.mcp_server_name = call.server_name;
      known->facts.mcp_server_version = call.server_version;
    }
    add_seen(*known, evidence("server", "mcp"));
    judge(who(call.server_process->id), *known);
  }
}

void Inventory::on_scan(const ProcessScan& scan) {
  // Its exec may have been before us, or before the signatures that know it.
  std::set<std::string> risky;
  std::vector<EvidenceItem> program = look_at_program(scan.process, risky);
  const bool is_of_use =
      !program.empty() || !scan.evidence.empty() || !scan.models.empty() || scan.sees_docker_socket;
  if (!is_of_use && !is_known(scan.process.id)) return;
  Known* known = know(scan.process);
  if (known == nullptr) return;
  ProcessFacts& facts = known->facts;
  for (EvidenceItem& one : program) add_seen(*known, std::move(one));
  facts.risky_flags.merge(risky);
  facts.scanned = scan.evidence;
  facts.models = scan.models;
  facts.script_path = scan.script_path;
  facts.sees_docker_socket = scan.sees_docker_socket;
  if (facts.process.container_id.empty()) {
    facts.process.container_id = scan.process.container_id;
    facts.process.container_image = scan.process.container_image;
  }
  for (const std::uint16_t port : scan.ports) {
    if (facts.ports.size() >= kMaxNames) break;
    facts.ports.insert(port);
    for (const PortSignature& known_port : signatures_.find_ports(port))
      add_seen(*known, make_evidence("port", std::to_string(port), *known_port.signature));
  }
  facts.addresses.insert(scan.addresses.begin(), scan.addresses.end());
  judge(who(scan.process.id), *known);
}

void Inventory::on_answer(const model::Process& process, const HttpAnswer& answer) {
  Known* known = know(process);
  if (known == nullptr) return;
  auto& answers = known->facts.answers;
  if (std::find(answers.begin(), answers.end(), answer.evidence) != answers.end()) return;
  if (answers.size() < kMaxNames) answers.push_back(answer.evidence);
  judge(who(process.id), *known);
}

void Inventory::on_exit(const ProcessId& id) {
  const Who key = who(id);
  const auto found = processes_.find(key);
  if (found == processes_.end()) return;
  set_claims(found->second.claims, {}, [&](Entry& entry, bool is_new) {
    is_new ? (void)entry.processes.insert(key) : (void)entry.processes.erase(key);
  });
  processes_.erase(found);
}

void Inventory::judge(const Who& key, Known& known) {
  const auto entry = registry_.find(known.facts.process);
  set_claims(known.claims, claims_of(known.facts, signatures_, entry.value_or("")),
             [&](Entry& asset, bool is_new) {
               is_new ? (void)asset.processes.insert(key) : (void)asset.processes.erase(key);
             });
}

void Inventory::on_file(const FoundFile& file) {
  if (!files_.contains(file.path) && files_.size() >= kMaxFiles) {
    ++refused_;
    return;
  }
  auto& claims = files_[file.path];
  for (const Claim& claim : claims)
    if (const auto one = configured_.find(claim.key); one != configured_.end())
      configured_.erase(one);
  set_claims(claims, claims_of(file), [&](Entry& entry, bool is_new) {
    is_new ? (void)entry.files.insert(file.path) : (void)entry.files.erase(file.path);
  });
  for (const Claim& claim : claims)
    if (claim.kind == AssetKind::kMcpServer) configured_.insert(claim.key);
}

void Inventory::on_file_gone(const std::string& path) {
  if (!files_.contains(path)) return;
  FoundFile nothing;
  nothing.path = path;
  on_file(nothing);
  files_.erase(path);
}

}  // namespace aispm::sensor
