// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/signatures.hpp"

#include <algorithm>

#include "sdk/core/policy/glob.hpp"
#include "sensor/classify/signature_tables.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxMatchedBytes = 4096;  // of an image, path or header that is looked up

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_interpreter(std::string_view program) {
  static constexpr std::string_view kNames[] = {"node", "nodejs", "bun",  "deno", "sh",
                                                "bash", "ruby",   "perl", "uv",   "npx"};
  return program.starts_with("python") ||
         std::find(std::begin(kNames), std::end(kNames), program) != std::end(kNames);
}

// "aider.py", "claude.js": the script's name without what says its language.
std::string_view without_extension(std::string_view name) {
  for (const std::string_view end : {".py", ".js", ".mjs", ".cjs", ".ts", ".sh"})
    if (name.size() > end.size() && name.ends_with(end))
      return name.substr(0, name.size() - end.size());
  return name;
}

const Signature* find_in(const PatternTable& table, std::string_view text) {
  const auto found = table.find(text);
  return found == table.end() ? nullptr : found->second;
}

const Signature* find_in(const std::map<std::string, PatternTable, std::less<>>& tables,
                         std::string_view space, std::string_view text) {
  const auto table = tables.find(space);
  return table == tables.end() ? nullptr : find_in(table->second, text);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

}  // namespace

bool matches_host_glob(std::string_view pattern, std::string_view text) {
  // Linear for one star, and one pattern has few.
  while (!pattern.empty() && pattern.front() != '*') {
    if (text.empty() || text.front() != pattern.front()) return false;
    pattern.remove_prefix(1);
    text.remove_prefix(1);
  }
  if (pattern.empty()) return text.empty();
  pattern.remove_prefix(1);
  for (std::size_t i = 1; i <= text.size() && text[i - 1] != '.'; ++i)
    if (matches_host_glob(pattern, text.substr(i))) return true;
  return false;
}

bool matches_path(std::string_view pattern, std::string_view path) {
  while (!pattern.empty()) {
    const std::size_t open = pattern.find('{');
    const std::string_view literal = pattern.substr(0, open);
    if (!path.starts_with(literal)) return false;
    path.remove_prefix(literal.size());
    if (open == std::string_view::npos) return path.empty();
    pattern.remove_prefix(std::min(pattern.find('}', open), pattern.size() - 1) + 1);
    // The variable ends where its segment or, before a literal in it (":generate"), that begins.
    const std::size_t segment = std::min(path.find('/'), path.size());
    const std::string_view next = pattern.substr(0, pattern.find_first_of("/{"));
    const std::size_t end = next.empty() ? segment : path.substr(0, segment).rfind(next);
    if (end == std::string_view::npos || end == 0) return false;
    path.remove_prefix(end);
  }
  return path.empty();
}

std::string normal_host(std::string_view host) {
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  return lower(host);
}

std::string normal_pypi_name(std::string_view name) {
  std::string result;
  for (const char c : lower(name)) {
    if (c != '-' && c != '_' && c != '.')
      result += c;
    else if (!result.ends_with('-'))
      result += '-';
  }
  return result;
}

std::string normal_image(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const std::size_t tag = image.rfind(':');
  if (tag != std::string_view::npos && image.find('/', tag) == std::string_view::npos)
    image = image.substr(0, tag);
  for (const std::string_view prefix : {"docker.io/", "index.docker.io/", "library/"})
    if (image.starts_with(prefix)) image.remove_prefix(prefix.size());
  return lower(image);
}

const Signature* Signatures::find_host(std::string_view host) const {
  const std::string name = normal_host(host);
  if (const Signature* found = find_in(tables_->exact_hosts, name)) return found;
  const std::string_view text = name;
  for (std::size_t begin = 0; begin < text.size();) {
    if (const Signature* found = find_in(tables_->host_suffixes, text.substr(begin))) return found;
    const std::size_t dot = text.find('.', begin);
    if (dot == std::string_view::npos) break;
    begin = dot + 1;
  }
  for (const PatternList& glob : tables_->host_globs)
    if (matches_host_glob(glob.pattern, name)) return glob.signature;
  return nullptr;
}

std::vector<std::string> Signatures::hosts_of(std::string_view provider) const {
  std::vector<std::string> hosts;
  for (const auto& [name, signature] : tables_->exact_hosts)
    if (signature->provider == provider) hosts.push_back(name);
  for (const auto& [suffix, signature] : tables_->host_suffixes)
    if (signature->provider == provider) hosts.push_back("*." + suffix);
  for (const PatternList& glob : tables_->host_globs)
    if (glob.signature->provider == provider) hosts.push_back(glob.pattern);
  return hosts;
}

const std::vector<PortSignature>& Signatures::find_ports(std::uint16_t port) const {
  static const std::vector<PortSignature> kNone;
  const auto found = tables_->ports.find(port);
  return found == tables_->ports.end() ? kNone : found->second;
}

const Signature* Signatures::find_port(std::uint16_t port) const {
  const auto& found = find_ports(port);
  return found.size() == 1 && !found.front().signature->weak ? found.front().signature : nullptr;
}

const Signature* Signatures::find_process(const model::Process& process) const {
  const std::string_view program = base_name(process.exe);
  if (const Signature* found = find_in(tables_->processes, program)) return found;
  // The script is the first argument that is no option: "node --no-warnings /usr/bin/claude".
  if (is_interpreter(program)) {
    const auto script = std::find_if(
        process.argv.begin() + (process.argv.empty() ? 0 : 1), process.argv.end(),
        [](const std::string& argument) { return !argument.empty() && argument.front() != '-'; });
    if (script != process.argv.end())
      if (const Signature* found =
              find_in(tables_->processes, without_extension(base_name(*script))))
        return found;
  }
  return find_in(tables_->processes, process.comm);
}

const Signature* Signatures::find_package(std::string_view ecosystem, std::string_view name) const {
  if (ecosystem == "pypi") return find_in(tables_->packages, ecosystem, normal_pypi_name(name));
  return find_in(tables_->packages, ecosystem, name);
}

const Signature* Signatures::find_variable(std::string_view name) const {
  return find_in(tables_->variables, name);
}

const Signature* Signatures::find_file(std::string_view pattern) const {
  const auto found = std::find_if(tables_->files.begin(), tables_->files.end(),
                                  [&](const auto& file) { return file.path == pattern; });
  return found == tables_->files.end() ? nullptr : found->signature;
}

const Signature* Signatures::find_user_agent(std::string_view text) const {
  text = text.substr(0, kMaxMatchedBytes);
  for (const PatternList& agent : tables_->user_agents)
    if (text.find(agent.pattern) != std::string_view::npos) return agent.signature;
  return nullptr;
}

const Signature* Signatures::find_header(std::string_view name) const {
  return find_in(tables_->headers, lower(name.substr(0, kMaxMatchedBytes)));
}

const Signature* Signatures::find_path(std::string_view method, std::string_view path) const {
  path = path.substr(0, std::min(path.find_first_of("?#"), kMaxMatchedBytes));
  for (const PathSignature& known : tables_->paths)
    if (known.method == method && matches_path(known.path, path)) return known.signature;
  return nullptr;
}

const Signature* Signatures::find_image(std::string_view image) const {
  const std::string name = normal_image(image.substr(0, kMaxMatchedBytes));
  const Signature* best = nullptr;
  std::size_t longest = 0;
  for (const PatternList& known : tables_->images) {
    const std::string& prefix = known.pattern;
    if (prefix.size() <= longest || !name.starts_with(prefix)) continue;
    // A whole name, or one that goes on below it or as a variant ("vllm/vllm-openai-rocm").
    if (prefix.ends_with('/') || name.size() == prefix.size() || name[prefix.size()] == '-' ||
        name[prefix.size()] == '/') {
      best = known.signature;
      longest = prefix.size();
    }
  }
  return best;
}

const Signature* Signatures::find_app(std::string_view path) const {
  path = path.substr(0, kMaxMatchedBytes);
  while (!path.empty()) {
    const std::size_t size = std::min(path.find('/'), path.size());
    if (const Signature* found = find_in(tables_->apps, path.substr(0, size))) return found;
    path.remove_prefix(std::min(size + 1, path.size()));
  }
  return nullptr;
}

const Signature* Signatures::find_extension(std::string_view ecosystem, std::string_view id) const {
  return find_in(tables_->extensions, ecosystem, lower(id));
}

const Signature* Signatures::find_library(std::string_view file_name) const {
  const std::size_t end = file_name.find(".so");
  if (end == std::string_view::npos) return nullptr;
  if (const Signature* found = find_in(tables_->libraries, file_name.substr(0, end))) return found;
  // Python's: "jiter.cpython-311-x86_64-linux-gnu.so".
  return find_in(tables_->libraries, file_name.substr(0, file_name.find('.')));
}

const Signature* Signatures::find_device(std::string_view path) const {
  for (const PatternList& device : tables_->devices)
    if (policy::glob_matches(device.pattern, path)) return device.signature;
  return nullptr;
}

const std::vector<FileSignature>& Signatures::files() const { return tables_->files; }
const std::vector<ModelSignature>& Signatures::models() const { return tables_->models; }
const std::vector<HttpFingerprint>& Signatures::fingerprints() const {
  return tables_->fingerprints;
}

ProviderRisk Signatures::risk_of(std::string_view provider) const {
  if (const auto found = tables_->risks.find(provider); found != tables_->risks.end())
    return found->second;
  const auto other = tables_->risks.find("*");
  return other == tables_->risks.end() ? ProviderRisk{} : other->second;
}

std::size_t Signatures::size() const { return tables_->ids.size(); }

}  // namespace aispm::sensor
