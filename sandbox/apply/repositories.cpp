// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/repositories.hpp"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>

namespace aispm::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 1'000'000;
constexpr std::chrono::seconds kMaxTime{2};  // the caller waits for it
constexpr std::size_t kMaxNamed = 5;
constexpr std::size_t kMaxNameBytes = 200;

std::optional<struct stat> look_at(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

bool is_folder(const fs::path& path) {
  const auto status = look_at(path);
  return status && S_ISDIR(status->st_mode);
}

// What git takes for one, whatever its name is.
bool is_repository(const fs::path& folder) {
  return look_at(folder / "HEAD") && is_folder(folder / "objects") && is_folder(folder / "refs");
}

bool changed_since(const fs::path& path, const timespec& since) {
  const auto status = look_at(path);
  if (!status) return false;
  const timespec& at = status->st_ctim;
  return at.tv_sec != since.tv_sec ? at.tv_sec > since.tv_sec : at.tv_nsec >= since.tv_nsec;
}

// The folder itself changes when it is renamed, and with each lock file of git's.
bool was_touched(const fs::path& repository, const timespec& since) {
  for (const char* part : {"", "config", "config.worktree", "commondir", "hooks"})
    if (changed_since(*part == '\0' ? repository : repository / part, since)) return true;
  std::error_code error;
  for (fs::directory_iterator hook(repository / "hooks", error), end; !error && hook != end;
       hook.increment(error))
    if (changed_since(hook->path(), since)) return true;
  return false;
}

// Names are the agent's: nothing of them reaches the terminal as more than a letter.
std::string printable(const std::string& name) {
  std::string text;
  for (const char c : name.substr(0, kMaxNameBytes)) text += c >= ' ' && c <= '~' ? c : '?';
  return text;
}

void add(ChangedRepositories& found, const fs::path& path, const std::string& workspace) {
  if (found.paths.size() == kMaxNamed) {
    ++found.more;
    return;
  }
  const std::string name = path.native();
  found.paths.push_back(name.size() > workspace.size() + 1
                            ? printable(name.substr(workspace.size() + 1))
                            : std::string("."));
}

}  // namespace

ChangedRepositories find_changed_repositories(const std::string& workspace, const timespec& since) {
  ChangedRepositories found;
  if (!look_at(fs::path(workspace) / ".git") && is_repository(workspace) &&
      was_touched(workspace, since))
    add(found, workspace, workspace);
  std::error_code error;
  std::size_t entries = 0;
  const auto deadline = std::chrono::steady_clock::now() + kMaxTime;
  bool is_late = false;
  fs::recursive_directory_iterator at(workspace, fs::directory_options::skip_permission_denied,
                                      error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    is_late = ++entries > kMaxEntries || std::chrono::steady_clock::now() > deadline;
    if (is_late) break;
    const bool has_name = at->path().filename() == ".git";
    const bool is_own = has_name && at.depth() == 0;
    std::error_code unknown;  // its kind is mostly known from the folder, without a look at it
    const bool is_directory = !at->is_symlink(unknown) && at->is_directory(unknown);
    if (!has_name && !(is_directory && is_repository(at->path()))) continue;
    if (is_directory) at.disable_recursion_pending();
    if (!is_own && was_touched(at->path(), since)) add(found, at->path(), workspace);
  }
  found.is_complete = !error && !is_late;
  return found;
}

std::string to_text(const ChangedRepositories& found) {
  std::string text;
  for (const auto& path : found.paths) text += (text.empty() ? "" : ", ") + path;
  if (found.more != 0) text += " and " + std::to_string(found.more) + " more";
  if (!text.empty())
    text =
        "git repositories within the workspace were made, changed or used in this run, and git "
        "obeys their configuration and hooks, also when it is called in the folder above. Look at "
        "them before you use git there: " +
        text;
  if (!found.is_complete)
    text += std::string(text.empty() ? "" : ". ") +
            "the workspace could not be looked through to its end for git repositories that the "
            "agent made";
  return text;
}

}  // namespace aispm::sandbox
