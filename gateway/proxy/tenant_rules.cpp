// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/tenant_rules.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "gateway/proxy/tenant_config.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {
namespace {

constexpr std::string_view kEnding = ".yaml";

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Result<> check_own_folder(const std::string& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return fail_errno("stat " + folder);
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::kDenied, folder + ": must belong to this user, and others must not write it");
  return {};
}

Result<> TenantRuleFiles::check_name(std::string_view tenant) {
  if (!tenant.empty() && tenant.size() <= kMaxNameBytes && tenant.front() != '.' &&
      std::all_of(tenant.begin(), tenant.end(), is_name_byte))
    return {};
  return fail(Errc::kInvalid,
              "a tenant has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot");
}

std::string TenantRuleFiles::path_of(std::string_view tenant) const {
  return folder_ + "/" + std::string(tenant) + std::string(kEnding);
}

Result<TenantPacks> TenantRuleFiles::load() const {
  TenantPacks packs;
  std::error_code error;
  if (folder_.empty() || !std::filesystem::exists(folder_, error)) {
    if (error) return fail(Errc::kUnavailable, folder_ + ": " + error.message());
    return packs;
  }
  AISPM_CHECK(check_own_folder(folder_));
  std::filesystem::directory_iterator files(folder_, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string name = files->path().filename();
    // Files being written have other endings.
    if (name.starts_with('.') || !name.ends_with(kEnding)) continue;
    const std::string tenant = name.substr(0, name.size() - kEnding.size());
    if (const auto named = check_name(tenant); !named)
      return fail(Errc::kInvalid, files->path().string() + ": " + named.error().message);
    AISPM_TRY(packs[tenant], read_file(files->path(), TenantConfig::kMaxRulesBytes));
    if (packs.size() > TenantConfig::kMaxTenants)
      return fail(Errc::kTooLarge, folder_ + ": rules of more than 64 tenants");
  }
  if (error) return fail(Errc::kUnavailable, folder_ + ": " + error.message());
  return packs;
}

Result<> TenantRuleFiles::write(const std::string& tenant, const std::string& pack) const {
  AISPM_CHECK(check_name(tenant));
  AISPM_CHECK(make_directories(folder_, 0700));
  AISPM_CHECK(check_own_folder(folder_));
  return write_file_atomically(path_of(tenant), pack, 0600);
}

Result<> TenantRuleFiles::remove(const std::string& tenant) const {
  AISPM_CHECK(check_name(tenant));
  if (::unlink(path_of(tenant).c_str()) != 0) return fail_errno("unlink " + path_of(tenant));
  const UniqueFd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_errno("fsync " + folder_);
  return {};
}

}  // namespace aispm::gateway
