// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sandbox/plan/plan.hpp"

namespace aispm::sandbox {
namespace {

using Kind = Mount::Kind;

// Most readers take an empty folder for nothing, and git does not see one. These do not: what they
// get says nothing, and git is told to overlook it (mounts.cpp).
struct Reader {
  const char* ending;
  const char* content;
};
constexpr Reader kReaders[] = {
    {"/commondir", ".\n"},  // of git: "." is the repository itself
    {"/opencode.json", "{}\n"},
    {"/opencode.jsonc", "{}\n"},
    {"/.aider.conf.yml", "# aispm-run protects this place\n"},
    {"/.yarnrc", "# aispm-run protects this place\n"},
    {"/.yarnrc.yml", "# aispm-run protects this place\n"},
    {"/refs", "# aispm-run protects this place\n"},  // of git: no repository without this folder
};

// opencode writes a file of its own into its folder at each start: there it finds one that ends
// with the run.
constexpr const char* kWritesItsOwn = "/.opencode";
constexpr std::uint64_t kScratchBytes = 1U << 20;

std::string stand_in(const std::string& path) {
  for (const auto& reader : kReaders)
    if (path.ends_with(reader.ending)) return reader.content;
  return "";
}

class Protector {
 public:
  Protector(const Host& host, Workspace& workspace) : host_(host), workspace_(workspace) {}

  // Protects `entry`, part by part: a folder on the way is mounted over itself, so that it cannot
  // be renamed and another one put in its place.
  Result<> protect(const std::string& entry) {
    std::string path = workspace_.folder;
    for (std::size_t from = 0; from < entry.size();) {
      const std::size_t to = std::min(entry.find('/', from), entry.size());
      path += "/" + entry.substr(from, to - from);
      const bool is_last = to == entry.size();
      from = to + 1;
      if (is_protected(path)) return {};
      // What another run put there is as if nothing were: this one keeps it, and is the last or
      // not.
      switch (host_.is_placeholder(path) ? Host::Type::kMissing : host_.type(path)) {
        case Host::Type::kFolder:
          bind(path, is_last ? Kind::kBindReadOnly : Kind::kBindReadWrite);
          break;
        case Host::Type::kFile:
          bind(path, Kind::kBindReadOnly);
          return {};
        case Host::Type::kMissing:
          workspace_.placeholders.push_back({path, stand_in(path)});
          bind(path, path.ends_with(kWritesItsOwn) ? Kind::kTmpfs : Kind::kBindReadOnly);
          return {};
        case Host::Type::kSymlink:
        case Host::Type::kOther:
          return fail(Errc::kInvalid,
                      path +
                          ": is a symbolic link (or no file), so it cannot be protected: put a "
                          "file or folder there, or let the agent change it with "
                          "dangerous.unprotected_paths: [" +
                          entry + "] in a profile");
      }
    }
    return {};
  }

 private:
  bool is_protected(const std::string& path) const {
    return std::any_of(workspace_.mounts.begin(), workspace_.mounts.end(), [&](const Mount& mount) {
      return mount.kind == Kind::kBindReadOnly && mount.target == path;
    });
  }
  void bind(const std::string& path, Kind kind) {
    const bool is_there = std::any_of(workspace_.mounts.begin(), workspace_.mounts.end(),
                                      [&](const Mount& mount) { return mount.target == path; });
    if (is_there) return;
    workspace_.mounts.push_back({.kind = kind,
                                 .target = path,
                                 .source = path,
                                 .content = "",
                                 .bytes = kScratchBytes,  // of a kTmpfs
                                 .owner_of = workspace_.folder,
                                 .is_in_workspace = true});
  }

  const Host& host_;
  Workspace& workspace_;
};

// Where a path leads, and the place from which it is led there.
std::vector<std::string> places_of(const Host& host, const std::string& file) {
  const std::string path = absolute(host, file);
  const std::string folder = parent_of(path);
  return {host.resolve(folder).value_or(folder) + path.substr(path.rfind('/')),
          host.resolve(path).value_or(path)};
}

// The agent must not write what its next run may do.
Result<> check_profile_files(const Host& host, const Request& request) {
  for (const auto& file : request.profile.files)
    for (const auto& place : places_of(host, file))
      for (const auto* list : {&request.profile.read_write, &request.read_write})
        for (const auto& given : *list)
          if (const auto real = host.resolve(absolute(host, given)); real && lies_in(place, *real))
            return fail(Errc::kInvalid, "--profile " + file + ": lies in " + *real +
                                            ", where the agent could change it (--rw). Keep it "
                                            "elsewhere");
  return {};
}

Result<> protect_profile_files(const Host& host, const Request& request,
                               const std::string& workspace, Protector& protector) {
  for (const auto& file : request.profile.files)
    for (const auto& place : places_of(host, file))
      if (lies_in(place, workspace))
        AISPM_CHECK(protector.protect(place.substr(workspace.size() + 1)));
  return {};
}

}  // namespace

Result<std::string> shareable(const Host& host, const Request& request, const std::string& option,
                              const std::string& given, Mount::Kind kind) {
  const auto real = host.resolve(absolute(host, given));
  if (!real) return fail(Errc::kInvalid, option + given + ": does not exist");
  const auto type = host.type(*real);
  if (type != Host::Type::kFile && type != Host::Type::kFolder)
    return fail(Errc::kInvalid, option + given + ": only files and folders can be shared");
  for (const char* never : {"/proc", "/sys", "/dev"})
    if (*real == "/" || lies_in(*real, never))
      return fail(Errc::kInvalid, option + given + ": cannot be shared, the sandbox has its own");
  // Not the link but what it leads to is mounted, at its own path: so a link swapped later changes
  // nothing.
  if (is_sensitive(host, *real) && type == Host::Type::kFolder &&
      !request.profile.dangerous.sensitive_paths)
    return fail(Errc::kInvalid,
                option + given +
                    ": such folders hold secrets or everything. Name a folder inside of it, " +
                    "or set dangerous.sensitive_paths: true in a profile");
  if (kind == Mount::Kind::kBindReadWrite && is_system_path(*real) &&
      !request.profile.dangerous.sensitive_paths)
    return fail(Errc::kInvalid,
                option + given +
                    ": what lies there is run outside of the sandbox. Name another folder, or set "
                    "dangerous.sensitive_paths: true in a profile");
  return *real;
}

Result<Workspace> plan_workspace(const Host& host, const Request& request) {
  const Profile& profile = request.profile;
  AISPM_CHECK(check_profile_files(host, request));
  Workspace workspace;
  std::string given = request.workspace;
  std::string option = "--workspace ";
  if (given.empty() && profile.current_folder_is_workspace) {
    given = host.current_folder();
    option = "profile " + profile.name + " lets the agent change the current folder: ";
  }
  if (given.empty()) return workspace;
  AISPM_TRY(workspace.folder, shareable(host, request, option, given, Kind::kBindReadWrite));
  if (host.type(workspace.folder) != Host::Type::kFolder)
    return fail(Errc::kInvalid, option + given + ": must be a folder");
  if (const std::string path = absolute(host, given); path != workspace.folder)
    workspace.link = path;
  workspace.mounts.push_back({.kind = Kind::kBindReadWrite,
                              .target = workspace.folder,
                              .source = workspace.folder,
                              .content = "",
                              .bytes = 0,
                              .owner_of = workspace.folder});
  std::vector<std::string> entries = profile.protect;
  if (!host.home().empty() && host.home() == workspace.folder)
    entries.insert(entries.end(), profile.protect_home.begin(), profile.protect_home.end());
  // A folder with HEAD, objects and refs is a repository, with a configuration that git obeys.
  const auto is_nothing = [&host](const std::string& path) {
    return host.type(path) == Host::Type::kMissing || host.is_placeholder(path);
  };
  if (is_nothing(workspace.folder + "/.git") && is_nothing(workspace.folder + "/refs"))
    entries.emplace_back("refs");
  Protector protector(host, workspace);
  const auto& open = profile.dangerous.unprotected_paths;
  for (const auto& entry : entries)
    if (std::find(open.begin(), open.end(), entry) == open.end())
      AISPM_CHECK(protector.protect(entry));
  AISPM_CHECK(protect_profile_files(host, request, workspace.folder, protector));
  if (host.type(workspace.folder + "/.git") == Host::Type::kFile)
    workspace.notes.push_back(workspace.folder +
                              "/.git leads to a repository elsewhere, which is not shared: git "
                              "does not work inside. Use the main worktree, or share it with --rw");
  return workspace;
}

}  // namespace aispm::sandbox
