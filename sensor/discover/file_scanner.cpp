// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/file_scanner.hpp"

#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "sdk/core/common/file.hpp"
#include "sensor/discover/model_files.hpp"

namespace aispm::sensor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPasswdBytes = 4U << 20;
constexpr std::uint32_t kFirstUser = 1000;
constexpr std::uint32_t kNobody = 65534;

// Where editors and browsers keep extensions, below a home.
struct ExtensionFolder {
  const char* path;
  const char* ecosystem;
};
constexpr ExtensionFolder kExtensionFolders[] = {
    {".vscode/extensions", "vscode"},
    {".vscode-server/extensions", "vscode"},
    {".vscode-insiders/extensions", "vscode"},
    {".cursor/extensions", "vscode"},
    {".windsurf/extensions", "vscode"},
    {".config/google-chrome/Default/Extensions", "chrome"},
    {".config/chromium/Default/Extensions", "chrome"}};

// "github.copilot-1.2.3" -> "github.copilot": up to the version.
std::string extension_id(const std::string& name, const std::string& ecosystem) {
  if (ecosystem != "vscode") return name;
  for (std::size_t at = name.find('-'); at != std::string::npos; at = name.find('-', at + 1))
    if (at + 1 < name.size() && name[at + 1] >= '0' && name[at + 1] <= '9')
      return name.substr(0, at);
  return name;
}

}  // namespace

std::vector<FileScanner::Home> find_homes(const std::string& passwd) {
  std::vector<FileScanner::Home> homes;
  std::set<std::string> seen;
  std::istringstream lines(passwd);
  for (std::string line; std::getline(lines, line) && homes.size() < FileScanner::kMaxHomes;) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, ':');) fields.push_back(part);
    if (fields.size() < 6) continue;
    std::uint32_t uid = 0;
    const std::string& digits = fields[2];
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), uid);
    if (error != std::errc() || end != digits.data() + digits.size()) continue;
    const bool is_person = uid == 0 || (uid >= kFirstUser && uid != kNobody);
    const std::string& home = fields[5];
    if (!is_person || home.size() < 2 || home.front() != '/' || !seen.insert(home).second) continue;
    homes.push_back({home, uid, fields[0]});
  }
  return homes;
}

FileScanner::FileScanner(Signatures signatures, std::string passwd, Secret host_key,
                         OnFound on_found, OnModel on_model)
    : signatures_(std::move(signatures)),
      passwd_(std::move(passwd)),
      host_key_(std::move(host_key)),
      on_found_(std::move(on_found)),
      on_model_(std::move(on_model)) {}

void FileScanner::replace(Signatures signatures) {
  signatures_ = std::move(signatures);
  // What was read has to be judged anew; what is gone from the signatures is reported as gone.
  for (auto& [key, known] : known_) known.state = {};
}

void FileScanner::start(const std::set<std::string>& projects) {
  ++round_;
  steps_.clear();
  for (Home& home : find_homes(read_file(passwd_, kMaxPasswdBytes).value_or("")))
    steps_.push_back({home, home.path, true, false});
  for (const std::string& project : projects) {
    struct stat facts {};
    if (::stat(project.c_str(), &facts) == 0)
      steps_.push_back({{project, facts.st_uid, ""}, project, false, false});
  }
  steps_.push_back({{"/", 0, "root"}, "/", false, true});
}

bool FileScanner::step() {
  if (steps_.empty()) return false;
  const Step next = std::move(steps_.back());
  steps_.pop_back();
  scan(next);
  if (steps_.empty()) report_gone();
  return !steps_.empty();
}

void FileScanner::scan(const Step& step) {
  struct stat facts {};
  if (::stat(step.folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) return;
  for (const FileSignature& file : signatures_.files()) {
    const std::string& pattern = file.path;
    const bool fits_home = step.is_home && pattern.starts_with("~/");
    const bool fits_root = step.is_root && pattern.starts_with('/');
    const bool fits_project = !step.is_home && !step.is_root && !pattern.starts_with('~') &&
                              !pattern.starts_with('/') && !pattern.starts_with('$');
    if (!fits_home && !fits_root && !fits_project) continue;
    const std::string path = fits_home   ? step.folder + pattern.substr(1)
                             : fits_root ? pattern
                                         : step.folder + "/" + pattern;
    if (path.find("**") != std::string::npos)
      look_deep(step.home, path, file);
    else
      look(step.home, path, file);
  }
  if (step.is_home) look_for_extensions(step.home);
}

bool FileScanner::is_news(const std::string& key, const State& state) {
  const auto known = known_.find(key);
  if (known == known_.end()) {
    if (known_.size() >= kMaxFound) {
      ++refused_;
      return false;
    }
    known_[key] = {state, round_};
    return true;
  }
  known->second.round = round_;
  if (known->second.state == state) return false;
  known->second.state = state;
  return true;
}

void FileScanner::look(const Home& home, const std::string& path, const FileSignature& file) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return;
  const bool is_folder = S_ISDIR(facts.st_mode);
  if (!is_folder && !S_ISREG(facts.st_mode)) return;
  if (file.signature->category == "model_store" && is_folder) return look_for_models(home, path);
  // A folder stands for itself: what is put into it changes nothing here.
  const bool reads = file.what == "mcp" && !is_folder;
  const State state = reads
                          ? State{facts.st_dev, facts.st_ino, facts.st_mtim.tv_sec,
                                  facts.st_mtim.tv_nsec, static_cast<std::uint64_t>(facts.st_size)}
                          : State{facts.st_dev, 1, 0, 0, 0};
  if (!is_news(path, state)) return;
  FoundFile found;
  found.path = path;
  found.uid = home.uid;
  found.user = home.user;
  found.what = file.what;
  found.is_project = !file.path.starts_with('~') && !file.path.starts_with('/');
  found.evidence = make_evidence("config_file", path, *file.signature);
  if (reads && facts.st_uid != home.uid && facts.st_uid != 0) {
    found.error = "belongs to uid " + std::to_string(facts.st_uid);
  } else if (reads) {
    const std::string text = read_head(path, kMaxConfigBytes + 1);
    if (auto config = parse_config_file(path, text))
      found.servers = find_mcp_servers(*config, file.key, signatures_, host_key_);
    else
      found.error = config.error().message;
  }
  on_found_(std::move(found));
}

void FileScanner::look_deep(const Home& home, const std::string& pattern,
                            const FileSignature& file) {
  const std::size_t at = pattern.find("**");
  const std::string end = pattern.substr(at + 2);  // "/.mcp.json"
  std::error_code error;
  std::size_t walked = 0;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(pattern.substr(0, at), options, error), last;
       !error && entry != last && ++walked < kMaxWalked; entry.increment(error)) {
    if (entry.depth() >= kMaxDepth) entry.disable_recursion_pending();
    if (entry->path().string().ends_with(end)) look(home, entry->path().string(), file);
  }
  if (walked >= kMaxWalked) ++refused_;
}

void FileScanner::look_for_extensions(const Home& home) {
  for (const ExtensionFolder& folder : kExtensionFolders) {
    std::error_code error;
    std::size_t walked = 0;
    for (fs::directory_iterator entry(home.path + "/" + folder.path, error), last;
         !error && entry != last && ++walked < kMaxWalked; entry.increment(error)) {
      const std::string id = extension_id(entry->path().filename().string(), folder.ecosystem);
      const Signature* signature = signatures_.find_extension(folder.ecosystem, id);
      const std::string path = entry->path().string();
      if (signature == nullptr || !is_news(path, {1, 1, 1, 1, 1})) continue;
      FoundFile found;
      found.path = path;
      found.uid = home.uid;
      found.user = home.user;
      found.what = "extension";
      found.evidence = make_evidence("extension", id, *signature);
      on_found_(std::move(found));
    }
  }
}

void FileScanner::look_for_models(const Home& home, const std::string& folder) {
  std::error_code error;
  std::size_t walked = 0;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry(folder, options, error), last;
       !error && entry != last && ++walked < kMaxWalked; entry.increment(error)) {
    if (entry.depth() >= kMaxDepth) entry.disable_recursion_pending();
    const std::string path = entry->path().string();
    if (!has_model_name(entry->path().filename().string(), signatures_)) continue;
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
        static_cast<std::uint64_t>(facts.st_size) < kMinModelBytes)
      continue;
    if (!is_news(path, {facts.st_dev, facts.st_ino, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec,
                        static_cast<std::uint64_t>(facts.st_size)}))
      continue;
    auto model = look_at_model(path, path, signatures_);
    if (!model) continue;
    on_model_(path, *model);
    FoundFile found;
    found.path = path;
    found.uid = home.uid;
    found.user = home.user;
    found.what = "model";
    found.models.push_back(std::move(*model));
    on_found_(std::move(found));
  }
  if (walked >= kMaxWalked) ++refused_;
}

void FileScanner::report_gone() {
  for (auto one = known_.begin(); one != known_.end();) {
    if (one->second.round == round_) {
      ++one;
      continue;
    }
    on_found_(FileGone{one->first});
    one = known_.erase(one);
  }
}

}  // namespace aispm::sensor
