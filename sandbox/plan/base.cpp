// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/base.hpp"

#include <algorithm>

#include "sandbox/model/scratch.hpp"
#include "sandbox/model/sha256.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {
namespace {

constexpr const char* kOnline = "(the gateway of whoever takes it)";

bool starts_with_any(const std::string& pair, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return pair.starts_with(name); });
}

// Variables that an interpreter reads when it starts.
std::vector<std::string> startup_variables(const std::vector<std::string>& environment) {
  std::vector<std::string> found;
  for (const auto& pair : environment)
    if (starts_with_any(pair, {"PYTHON", "OPENSSL_CONF=", "SSL_CERT", "LANG=", "LC_", "LD_"}))
      found.push_back(pair);
  std::sort(found.begin(), found.end());
  return found;
}

bool is_utf8_locale(const std::string& pair) {
  const std::string value = pair.substr(pair.find('=') + 1);
  return value.empty() || value == "C" || value == "POSIX" || value.ends_with("UTF-8") ||
         value.ends_with("utf8");
}

// Files that are made in the sandbox are not in the way of anything below them.
bool covers(const Mount& mount) {
  return mount.kind <= Mount::Kind::kTerminals && mount.kind != Mount::Kind::kDevice;
}

}  // namespace

Result<Plan> make_base(const Host& host, const Want& want) {
  AISPM_TRY(Profile profile, load_profile(want.profile));
  if (profile.name != want.profile) return fail(Errc::kInvalid, "no built-in profile");
  Request request;
  request.command = {"agent"};
  // Folders of the caller's are added when the sandbox is taken.
  profile.read_only.clear();
  profile.read_write.clear();
  if (profile.home == Home::kKept) profile.home = Home::kScratch;
  request.profile = std::move(profile);
  Plan base;
  AISPM_TRY(base.mounts, plan_mounts(host, request, Program{}, Workspace{}));
  // A folder where something below it is shared, else a link: told when the sandbox is taken.
  std::erase_if(base.mounts, [](const Mount& mount) { return mount.target == "/var/tmp"; });
  request.environment = want.locale;
  // What its clients read only later is set by whoever takes it.
  AISPM_TRY(base.environment, plan_environment(host, request, Program{}, "agent"));
  AISPM_TRY(const Profile whole, load_profile(want.profile));
  if (whole.home == Home::kKept)  // the text in /etc/passwd names it
    for (auto& mount : base.mounts)
      if (mount.target == "/etc/passwd")
        mount.content.replace(mount.content.find(":/tmp:"), 6,
                              ":" + std::string(kPrivateHome) + ":");
  base.profile = whole.name;
  base.limits = whole.limits;
  base.landlock_min_abi = whole.landlock_min_abi;
  base.executable = want.interpreter;
  base.folder = "/";
  if (want.is_online) base.gateway_socket = kOnline;
  return base;
}

std::string fingerprint_of(const Plan& base) {
  std::string text = encode_mounts(base.mounts);
  const auto add = [&text](const std::string& word) { text += word + '\n'; };
  for (const std::uint64_t number :
       {base.limits.memory_bytes, std::uint64_t{base.limits.pids},
        std::uint64_t{base.limits.cpu_milli}, std::uint64_t{base.limits.cpu_time.count() != 0},
        std::uint64_t{base.landlock_min_abi}, std::uint64_t{!base.gateway_socket.empty()}})
    add(std::to_string(number));
  for (const auto& pair : startup_variables(base.environment)) add(pair);
  add(base.executable);
  return sha256_hex(text);
}

Result<Want> want_for(const Plan& plan, const Profile& profile) {
  const auto built_in = load_profile(profile.name);
  if (!built_in || built_in->name != profile.name)
    return fail(Errc::kUnsupported, "profile " + profile.name + " is a file of yours");
  Want want;
  want.profile = profile.name;
  want.is_online = !plan.gateway_socket.empty();
  // A home that is kept may hold packages of its own.
  const bool is_python =
      !plan.script.empty() && plan.argv.size() >= 2 && plan.argv[0] == plan.executable &&
      plan.argv[1] == plan.script && is_system_path(plan.executable) &&
      plan.executable.substr(plan.executable.rfind('/') + 1).starts_with("python") &&
      profile.home != Home::kKept;
  if (!is_python) return want;
  for (const auto& pair : plan.environment) {
    if (!starts_with_any(pair, {"LANG=", "LC_"})) continue;
    if (!is_utf8_locale(pair)) {
      want.locale.clear();
      return want;
    }
    want.locale.push_back(pair);
  }
  want.interpreter = plan.executable;
  return want;
}

bool suits_interpreter(const Plan& plan, const Plan& base) {
  return base.executable.empty() ||
         startup_variables(plan.environment) == startup_variables(base.environment);
}

Result<std::vector<Mount>> late_mounts(const Plan& plan, const Plan& base) {
  const auto unlike = [](const std::string& what) {
    return fail(Errc::kUnsupported, what + " is another than that of the sandboxes that wait");
  };
  const Limits& limits = plan.limits;
  if (limits.memory_bytes != base.limits.memory_bytes) return unlike("the memory limit");
  if (limits.pids != base.limits.pids) return unlike("the limit of processes");
  if (limits.cpu_milli != base.limits.cpu_milli) return unlike("the processors' limit");
  if ((limits.cpu_time.count() != 0) != (base.limits.cpu_time.count() != 0))
    return unlike("the limit of processor time");
  if (plan.landlock_min_abi != base.landlock_min_abi) return unlike("the Landlock version");
  if (!suits_interpreter(plan, base))
    return unlike("the interpreter's environment (PYTHON*, LANG, SSL_*)");
  for (const auto& mount : base.mounts)
    if (std::find(plan.mounts.begin(), plan.mounts.end(), mount) == plan.mounts.end())
      return unlike("what is at " + mount.target);
  std::vector<Mount> late;
  for (const auto& mount : plan.mounts) {
    if (std::find(base.mounts.begin(), base.mounts.end(), mount) != base.mounts.end()) continue;
    for (const auto& below : base.mounts)
      if (covers(mount) && lies_in(below.target, mount.target))
        return unlike("what is at " + below.target);
    // Process 1 watches those that it made itself.
    if (is_scratch(mount, plan.mounts)) return unlike("what is at " + mount.target);
    late.push_back(mount);
  }
  if (late.size() > kMaxLateMounts) return fail(Errc::kTooLarge, "too many mounts");
  return late;
}

}  // namespace aispm::sandbox
