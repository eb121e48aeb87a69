// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "sandbox/plan/plan.hpp"

namespace aispm::sandbox {
namespace {

using Kind = Mount::Kind;
using Mounts = std::map<std::string, Mount>;  // by target: sorted, so parents come first

constexpr const char* kSystemFolders[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                          "/lib32", "/lib64", "/libx32"};
// What programs need of the host's /etc and holds no secret.
constexpr const char* kEtc[] = {"/etc/alternatives", "/etc/crypto-policies", "/etc/ld.so.cache",
                                "/etc/localtime",    "/etc/mime.types",      "/etc/pki/tls/certs",
                                "/etc/pki/ca-trust", "/etc/protocols",       "/etc/services",
                                "/etc/ssl/certs",    "/etc/ssl/openssl.cnf", "/etc/timezone"};
constexpr const char* kDevices[] = {"/dev/full", "/dev/null", "/dev/random", "/dev/urandom",
                                    "/dev/zero"};

void put(Mounts& mounts, Mount mount) {
  const std::string target = mount.target;
  mounts.insert_or_assign(target, std::move(mount));
}
void put_file(Mounts& mounts, const std::string& path, const std::string& content) {
  put(mounts, {.kind = Kind::kFile, .target = path, .source = "", .content = content, .bytes = 0});
}
void put_link(Mounts& mounts, const std::string& path, const std::string& text) {
  put(mounts, {.kind = Kind::kSymlink, .target = path, .source = text, .content = "", .bytes = 0});
}
void put_bind(Mounts& mounts, const std::string& path, Kind kind) {
  put(mounts, {.kind = kind,
               .target = path,
               .source = path,
               .content = "",
               .bytes = 0,
               .owner_of = kind == Kind::kBindReadWrite ? path : ""});
}

void add_system(const Host& host, Mounts& mounts) {
  for (const std::string path : kSystemFolders) {
    const auto type = host.type(path);
    if (type == Host::Type::kSymlink)
      put_link(mounts, path, host.read_link(path).value_or("usr" + path));
    else if (type == Host::Type::kFolder)
      put_bind(mounts, path, Kind::kBindReadOnly);
  }
  for (const std::string path : kEtc) {
    const auto type = host.type(path);
    if (type == Host::Type::kSymlink)
      put_link(mounts, path, host.read_link(path).value_or(""));
    else if (type == Host::Type::kFile)
      put_bind(mounts, path, Kind::kCopy);
    else if (type == Host::Type::kFolder)
      put_bind(mounts, path, Kind::kBindReadOnly);
  }
}

void add_synthetic(const Host& host, Mounts& mounts, const Profile& profile) {
  const Limits& limits = profile.limits;
  const std::string id =
      std::to_string(profile.isolation == Isolation::kGvisor ? kRuntimeUid : kInsideUid);
  put_file(mounts, "/etc/passwd",
           "agent:x:" + id + ":" + id + ":agent:" + home_inside(profile) +
               ":/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  put_file(mounts, "/etc/group", "agent:x:" + id + ":\nnogroup:x:65534:\n");
  put_file(mounts, "/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n");
  put_file(mounts, "/etc/hostname", "sandbox\n");
  // Names are never resolved in here: the server of this address answers REFUSED and reports the
  // name.
  put_file(mounts, "/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  put_file(mounts, "/etc/nsswitch.conf",
           "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n");
  for (const std::string path : kDevices) put_bind(mounts, path, Kind::kDevice);
  // Whoever opens /dev/tty gets the terminal of their own session: never the caller's.
  if (host.type("/dev/tty") == Host::Type::kOther) put_bind(mounts, "/dev/tty", Kind::kDevice);
  put(mounts,
      {.kind = Kind::kTerminals, .target = "/dev/pts", .source = "", .content = "", .bytes = 0});
  put_link(mounts, "/dev/ptmx", "pts/ptmx");
  put_link(mounts, "/dev/fd", "/proc/self/fd");
  put_link(mounts, "/dev/stdin", "/proc/self/fd/0");
  put_link(mounts, "/dev/stdout", "/proc/self/fd/1");
  put_link(mounts, "/dev/stderr", "/proc/self/fd/2");
  put(mounts, {.kind = Kind::kProc, .target = "/proc", .source = "", .content = "", .bytes = 0});
  put(mounts, {.kind = Kind::kTmpfs,
               .target = "/tmp",
               .source = "",
               .content = "",
               .bytes = limits.tmp_bytes});
  put(mounts, {.kind = Kind::kTmpfs,
               .target = "/dev/shm",
               .source = "",
               .content = "",
               .bytes = limits.shm_bytes});
  put_link(mounts, "/var/tmp", "/tmp");
}

// An empty home, with the profile's files in it. A kept one is a folder of the host.
void add_home(const Request& request, Mounts& mounts) {
  const Profile& profile = request.profile;
  if (profile.home == Home::kScratch) return;
  if (profile.home == Home::kPrivate)
    put(mounts, {.kind = Kind::kTmpfs,
                 .target = kPrivateHome,
                 .source = "",
                 .content = "",
                 .bytes = profile.limits.home_bytes});
  else
    put(mounts, {.kind = Kind::kBindReadWrite,
                 .target = kPrivateHome,
                 .source = request.kept_home,
                 .content = "",
                 .owner_of = request.kept_home});
  for (const auto& file : profile.home_files)
    put(mounts, {.kind = Kind::kHomeFile,
                 .target = std::string(kPrivateHome) + "/" + file.path,
                 .source = "",
                 .content = fill_in_gateway(file.content)});
}

// Files that stand in for protected ones that do not exist are no part of the project.
void hide_from_git(const Workspace& workspace, Mounts& mounts) {
  std::string names;
  for (const auto& one : workspace.placeholders)
    if (!one.content.empty()) names += one.path.substr(workspace.folder.size()) + "\n";
  if (names.empty()) return;
  put_file(mounts, "/etc/gitignore", names);
  put_file(mounts, "/etc/gitconfig", "[core]\n\texcludesFile = /etc/gitignore\n");
}

// Read-only. Python's come before what the host has installed, after its own library: a package can
// take no module's place. *.pth files are only run from the host's folders, never from here.
void add_packages(const PackageSet& packages, Mounts& mounts) {
  if (packages.id.empty()) return;
  const std::string target = packages.is_node ? kNodePackages : kPythonPackages;
  put(mounts,
      {.kind = Kind::kBindReadOnly, .target = target, .source = packages.folder, .content = ""});
  if (packages.is_node) return;
  put_file(mounts, std::string(kPythonStart) + "/sitecustomize.py",
           "import sys\n"
           "at = [i for i, path in enumerate(sys.path) if path.endswith(('site-packages', "
           "'dist-packages'))]\n"
           "sys.path.insert(at[0] if at else len(sys.path), '" +
               target +
               "')\n"
               "del at\n");
}

Result<> add_user_path(const Host& host, const Request& request, const std::string& given,
                       Kind kind, Mounts& mounts) {
  const std::string option = kind == Kind::kBindReadOnly ? "--ro " : "--rw ";
  const std::string path = absolute(host, given);
  AISPM_TRY(const std::string real, shareable(host, request, option, given, kind));
  put_bind(mounts, real, kind);
  if (real != path && !mounts.contains(path)) {
    bool inside_shared = false;
    for (const auto& [target, mount] : mounts)
      if (mount.kind <= Kind::kBindReadWrite && target != path && lies_in(path, target))
        inside_shared = true;
    if (!inside_shared) put_link(mounts, path, real);
  }
  return {};
}

}  // namespace

Result<std::vector<Mount>> plan_mounts(const Host& host, const Request& request,
                                       const Program& program, const Workspace& workspace) {
  Mounts mounts;
  add_system(host, mounts);
  add_synthetic(host, mounts, request.profile);
  add_home(request, mounts);
  add_packages(request.packages, mounts);
  for (const auto& path : program.read_only) {
    // What a link leads to is shared at its own path too: a virtual environment may be one.
    const std::string real = host.resolve(path).value_or(path);
    if (host.type(path) == Host::Type::kSymlink)
      put_link(mounts, path, host.read_link(path).value_or(""));
    else if (real != path)
      put(mounts, {.kind = Kind::kBindReadOnly, .target = path, .source = real, .content = ""});
    if (!is_system_path(real)) put_bind(mounts, real, Kind::kBindReadOnly);
  }
  for (const auto* list : {&request.profile.read_only, &request.read_only})
    for (const auto& path : *list)
      AISPM_CHECK(add_user_path(host, request, path, Kind::kBindReadOnly, mounts));
  for (const auto* list : {&request.profile.read_write, &request.read_write})
    for (const auto& path : *list)
      AISPM_CHECK(add_user_path(host, request, path, Kind::kBindReadWrite, mounts));
  for (const auto& mount : workspace.mounts) put(mounts, mount);
  hide_from_git(workspace, mounts);
  if (!workspace.link.empty() && !mounts.contains(workspace.link))
    put_link(mounts, workspace.link, workspace.folder);

  std::vector<Mount> result;
  for (auto& [target, mount] : mounts) {
    // A link cannot be the parent of something mounted: then it is a folder (/var/tmp when
    // something below it is shared).
    const auto next = mounts.upper_bound(target + "/");
    if (mount.kind == Kind::kSymlink && next != mounts.end() && lies_in(next->first, target))
      continue;
    if (mount.kind <= Kind::kBindReadWrite && !request.gateway_socket.empty() &&
        lies_in(host.resolve(request.gateway_socket).value_or(request.gateway_socket), target))
      return fail(Errc::kInvalid, target + ": cannot be shared, it holds the gateway's socket " +
                                      request.gateway_socket);
    // A symlink whose path lies in a shared folder exists there already.
    const bool is_there = std::any_of(result.begin(), result.end(), [&](const Mount& other) {
      return other.kind <= Kind::kBindReadWrite && mount.kind >= Kind::kFile &&
             mount.kind != Kind::kHomeFile && lies_in(target, other.target);
    });
    // So does a read-only bind below another read-only bind.
    const bool is_covered =
        mount.kind == Kind::kBindReadOnly && !result.empty() &&
        std::any_of(result.begin(), result.end(),
                    [&](const Mount& other) {
                      return other.kind == Kind::kBindReadOnly && lies_in(target, other.target);
                    }) &&
        std::none_of(result.begin(), result.end(), [&](const Mount& other) {
          return other.kind == Kind::kBindReadWrite && lies_in(target, other.target);
        });
    if (!is_there && !is_covered) result.push_back(std::move(mount));
  }
  return result;
}

}  // namespace aispm::sandbox
