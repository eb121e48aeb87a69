// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/process_scanner.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/capture/proc_text.hpp"
#include "sensor/classify/program_text.hpp"
#include "sensor/discover/model_files.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxSocketTableBytes = 4U << 20;
constexpr std::size_t kMaxMountsBytes = 1U << 20;
constexpr std::size_t kMaxProjects = 64;
constexpr std::size_t kMaxInstalledFolders = 256;
constexpr std::size_t kMaxFolderEntries = 20'000;
constexpr std::uint32_t kListening = 10;
constexpr double kScriptWeight = 0.7;
constexpr double kInstalledWeight = 0.3;
constexpr double kLoadedWeight = 0.8;

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return size <= 0 ? "" : std::string(target.data(), static_cast<std::size_t>(size));
}

std::uint64_t inode_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_ino : 0;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "…/site-packages/torch/lib/x.so" -> "torch"; empty elsewhere.
std::string_view python_package_of(std::string_view path) {
  for (const std::string_view folder : {"/site-packages/", "/dist-packages/"}) {
    const std::size_t at = path.rfind(folder);
    if (at == std::string_view::npos) continue;
    path.remove_prefix(at + folder.size());
    return path.substr(0, path.find_first_of("/."));
  }
  return {};
}

// Paths of the files mapped, each once.
std::set<std::string_view> mapped_files(std::string_view maps) {
  std::set<std::string_view> files;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    const std::size_t slash = line.find('/');
    if (slash != std::string_view::npos) files.insert(line.substr(slash));
  }
  return files;
}

}  // namespace

ProcessScanner::ProcessScanner(Signatures signatures, std::set<std::string> extra_devices)
    : signatures_(std::move(signatures)), extra_devices_(std::move(extra_devices)) {}

std::optional<ProcessScan> ProcessScanner::scan(std::uint32_t pid) {
  const auto found = read_process(pid);
  if (!found) return std::nullopt;
  ProcessScan scan;
  model::Process& process = scan.process;
  process.id = found->actor.id;
  process.parent = found->actor.parent;
  process.uid = found->actor.uid;
  process.comm = found->actor.comm;
  process.exe = found->exe;
  process.argv = found->argv;
  process.argv_truncated = found->argv_truncated;
  process.cgroup_id = found->actor.cgroup_id;
  process.pid_namespace = found->actor.pid_namespace;
  const auto& container = containers_.find(pid, process.cgroup_id, process.pid_namespace);
  process.container_id = container.id;
  process.container_image = container.image;
  if (!container.image.empty())
    add(scan, "image", container.image, signatures_.find_image(container.image));
  const std::string folder = "/proc/" + std::to_string(pid);
  virtual_environment_.clear();
  scan_environment(folder, scan);
  scan_maps(folder, scan);
  scan_descriptors(folder, scan);
  scan_script(folder, scan);
  const bool is_likely = !scan.evidence.empty();
  if (is_likely) {
    scan_packages(folder, scan);
    scan_mounts(folder, scan);
    const std::string project = link_target(folder + "/cwd");
    if (project.size() > 1 && projects_.size() < kMaxProjects) projects_.insert(project);
  }
  return scan;
}

void ProcessScanner::add(ProcessScan& scan, const char* type, const std::string& value,
                         const Signature* found) {
  if (found == nullptr) return;
  EvidenceItem evidence = make_evidence(type, value, *found);
  const bool is_old = std::any_of(scan.evidence.begin(), scan.evidence.end(), [&](const auto& one) {
    return one.item.type == type && one.item.rule == evidence.item.rule;
  });
  if (!is_old) scan.evidence.push_back(std::move(evidence));
}

void ProcessScanner::scan_maps(const std::string& folder, ProcessScan& scan) {
  const auto maps = read_file(folder + "/maps", kMaxMapsBytes);
  if (!maps) return;
  for (const std::string_view file : mapped_files(*maps)) {
    const std::string_view name = base_name(file);
    if (name.find(".so") != std::string_view::npos) {
      add(scan, "library", std::string(name), signatures_.find_library(name));
      const std::string_view package = python_package_of(file);
      if (const Signature* found =
              package.empty() ? nullptr : signatures_.find_package("pypi", package)) {
        Signature loaded = *found;
        loaded.confidence = kLoadedWeight;
        add(scan, "package", std::string(package), &loaded);
      }
      if (file.ends_with(".node"))
        add(scan, "package", npm_package_of(file),
            signatures_.find_package("npm", npm_package_of(file)));
    } else if (has_model_name(name, signatures_)) {
      add_model(folder + "/root" + std::string(file), std::string(file), scan);
    }
  }
}

void ProcessScanner::scan_environment(const std::string& folder, ProcessScan& scan) {
  auto environment = read_file(folder + "/environ", kMaxEnvironmentBytes);
  if (!environment) return;
  constexpr std::string_view kVirtualEnvironment = "VIRTUAL_ENV=";
  for (std::string_view rest = *environment; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view variable = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string_view name = variable.substr(0, variable.find('='));
    if (variable.starts_with(kVirtualEnvironment))
      virtual_environment_ = variable.substr(kVirtualEnvironment.size());
    add(scan, "environment", std::string(name), signatures_.find_variable(name));
  }
  // Values may be secrets: they do not stay in freed memory.
  ::explicit_bzero(environment->data(), environment->size());
}

void ProcessScanner::scan_descriptors(const std::string& folder, ProcessScan& scan) {
  const CPtr<DIR, ::closedir> descriptors(::opendir((folder + "/fd").c_str()));
  std::size_t count = 0;
  bool pipes[2] = {false, false};
  std::vector<std::uint64_t> sockets;
  while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
    if (entry->d_name[0] == '.' || ++count > kMaxDescriptors) continue;
    const std::string link = folder + "/fd/" + entry->d_name;
    const std::string target = link_target(link);
    const std::string_view number = entry->d_name;
    if ((number == "0" || number == "1") &&
        (target.starts_with("pipe:") || target.starts_with("socket:")))
      pipes[number == "1"] = true;
    if (const auto inode = parse_socket_link(target)) {
      sockets.push_back(*inode);
    } else if (target.starts_with("/dev/")) {
      add(scan, "device", target, signatures_.find_device(target));
    } else if (extra_devices_.contains(target)) {
      add(scan, "device", target, signatures_.find_device("/dev/nvidiactl"));
    } else if (target.starts_with('/') && has_model_name(base_name(target), signatures_)) {
      add_model(link, target, scan);
    }
  }
  scan.has_stdio_pipes = pipes[0] && pipes[1];
  if (sockets.empty()) return;
  const Listeners& all = listeners(folder);
  for (const std::uint64_t inode : sockets) {
    const auto found = all.find(inode);
    if (found == all.end()) continue;
    scan.ports.insert(found->second.second);
    scan.addresses.insert(found->second.first);
  }
}

const ProcessScanner::Listeners& ProcessScanner::listeners(const std::string& folder) {
  const auto [place, is_new] = listeners_.try_emplace(inode_of(folder + "/ns/net"));
  if (!is_new) return place->second;
  for (const bool is_v6 : {false, true}) {
    const auto table = read_file(folder + (is_v6 ? "/net/tcp6" : "/net/tcp"), kMaxSocketTableBytes);
    if (!table) continue;
    for (const ProcSocket& socket : parse_sockets(*table, is_v6)) {
      if (socket.state != kListening) continue;
      const Address& at = socket.endpoints.source;
      place->second[socket.inode] = {at.host_text() + ":" + std::to_string(at.port), at.port};
    }
  }
  return place->second;
}

void ProcessScanner::scan_script(const std::string& folder, ProcessScan& scan) {
  const Script script = find_script(scan.process.exe, scan.process.argv);
  if (script.language == Language::kNone) return;
  std::string text = script.code;
  if (!script.path.empty()) {
    std::string path = script.path;
    if (path.front() != '/') path = link_target(folder + "/cwd") + "/" + path;
    std::error_code error;
    // A link may lead to another mount namespace's idea of a path; only its end's name is used.
    const auto resolved = std::filesystem::canonical(folder + "/root" + path, error);
    scan.script_path = error ? path : resolved.string();
    if (const std::string package = npm_package_of(scan.script_path); !package.empty())
      add(scan, "package", package, signatures_.find_package("npm", package));
    text = read_head(folder + "/root" + path, kMaxScriptBytes);
  } else if (!script.module.empty()) {
    text = "import " + script.module;
  }
  const char* ecosystem = script.language == Language::kPython ? "pypi" : "npm";
  for (const std::string& module : find_imports(text, script.language)) {
    // "google.genai" is its own package, "langchain.chat_models" is a part of one.
    const Signature* found = signatures_.find_package(ecosystem, module);
    if (found == nullptr)
      found = signatures_.find_package(ecosystem, module.substr(0, module.find('.')));
    add(scan, "import", module, found);
  }
  // A server that speaks the protocol with no library at all.
  const bool speaks_mcp = text.find("tools/list") != std::string::npos &&
                          text.find("jsonrpc") != std::string::npos &&
                          text.find("protocolVersion") != std::string::npos;
  if (!speaks_mcp) return;
  EvidenceItem evidence;
  evidence.item = {"script", "answers tools/list", "script.mcp", kScriptWeight};
  evidence.provider = evidence.category = evidence.name = "mcp";
  scan.evidence.push_back(std::move(evidence));
}

const std::vector<EvidenceItem>& ProcessScanner::installed(const std::string& site_folder,
                                                           const std::string& ecosystem) {
  static const std::vector<EvidenceItem> kNone;
  struct stat facts {};
  if (::stat(site_folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) return kNone;
  const std::int64_t changed = facts.st_mtim.tv_sec;
  const auto known = installed_.find(site_folder);
  if (known != installed_.end() && known->second.first == changed) return known->second.second;
  if (installed_.size() >= kMaxInstalledFolders) installed_.clear();
  std::vector<EvidenceItem> found;
  std::size_t count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(site_folder, error), end;
       !error && entry != end && ++count < kMaxFolderEntries; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (ecosystem == "pypi") {
      const std::size_t dash = name.find('-');
      if (!name.ends_with(".dist-info") || dash == std::string::npos) continue;
      name.resize(dash);
    }
    const Signature* signature = signatures_.find_package(ecosystem, name);
    if (signature == nullptr || found.size() >= kMaxPackages) continue;
    EvidenceItem evidence = make_evidence("installed", name, *signature);
    evidence.item.weight = kInstalledWeight;
    evidence.weak = true;
    found.push_back(std::move(evidence));
  }
  return installed_.insert_or_assign(site_folder, std::pair(changed, std::move(found)))
      .first->second.second;
}

// What is installed beside an interpreter only supports what else speaks for it.
void ProcessScanner::scan_packages(const std::string& folder, ProcessScan& scan) {
  const Script script = find_script(scan.process.exe, scan.process.argv);
  if (script.language == Language::kNone || scan.process.argv.empty()) return;
  const std::string root = folder + "/root";
  std::vector<EvidenceItem> found;
  const auto take = [&](const std::string& site, const char* ecosystem) {
    const auto& items = installed(site, ecosystem);
    for (const EvidenceItem& one : items)
      if (found.size() < kMaxPackages) found.push_back(one);
  };
  if (script.language == Language::kPython) {
    std::set<std::string> bases;
    if (!virtual_environment_.empty()) bases.insert(virtual_environment_);
    const std::filesystem::path program(scan.process.argv.front());
    if (program.has_parent_path()) {
      const bool is_absolute = program.is_absolute();
      const std::string base = is_absolute ? "" : link_target(folder + "/cwd") + "/";
      bases.insert(base + program.parent_path().parent_path().string());
    }
    for (const std::string& base : bases)
      take(root + base + "/lib/" + std::string(base_name(scan.process.exe)) + "/site-packages",
           "pypi");
  } else if (!scan.script_path.empty()) {
    take(std::filesystem::path(scan.script_path).parent_path().string() + "/node_modules", "npm");
  }
  for (EvidenceItem& one : found) {
    const bool is_used = std::any_of(scan.evidence.begin(), scan.evidence.end(),
                                     [&](auto& other) { return other.item.rule == one.item.rule; });
    if (is_used) scan.evidence.push_back(std::move(one));
  }
}

void ProcessScanner::scan_mounts(const std::string& folder, ProcessScan& scan) {
  // On the host itself the socket is where it belongs; in another mount namespace it was put there.
  if (inode_of(folder + "/ns/mnt") == inode_of("/proc/self/ns/mnt")) return;
  const auto mounts = read_file(folder + "/mountinfo", kMaxMountsBytes);
  if (!mounts) return;
  for (const std::string_view socket :
       {"docker.sock ", "containerd.sock ", "podman.sock ", "crio.sock "})
    if (mounts->find(socket) != std::string::npos) scan.sees_docker_socket = true;
}

void ProcessScanner::add_model(const std::string& open_path, const std::string& path,
                               ProcessScan& scan) {
  const bool is_old = std::any_of(scan.models.begin(), scan.models.end(),
                                  [&](const auto& one) { return one.path.ends_with(path); });
  if (is_old || scan.models.size() >= kMaxModels) return;
  auto model = look_at_model(open_path, path, signatures_);
  if (!model) return;
  // A path inside a container is not the host's path of the same name.
  if (!scan.process.container_id.empty())
    model->path = scan.process.container_id.substr(0, 12) + ":" + path;
  scan.models.push_back(std::move(*model));
}

}  // namespace aispm::sensor
