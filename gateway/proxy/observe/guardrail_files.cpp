// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "gateway/proxy/observe/guardrails.hpp"
#include "gateway/proxy/tenant_config.hpp"
#include "gateway/proxy/tenant_rules.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxFileBytes = 4U << 20;
constexpr std::string_view kEnding = ".json";
constexpr std::string_view kTenant = "tenant.";
// Of agents whose key names no tenant.
constexpr std::string_view kNobody = "no-tenant.json";

std::string file_of(const std::string& tenant) {
  if (tenant.empty()) return std::string(kNobody);
  return std::string(kTenant) + tenant + std::string(kEnding);
}

}  // namespace

Result<Guardrails> GuardrailFiles::load() const {
  Guardrails all;
  std::error_code error;
  if (folder_.empty() || !std::filesystem::exists(folder_, error)) {
    if (error) return fail(Errc::kUnavailable, folder_ + ": " + error.message());
    return all;
  }
  AISPM_CHECK(check_own_folder(folder_));
  std::filesystem::directory_iterator files(folder_, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string name = files->path().filename();
    // Files being written have other endings.
    if (name.starts_with('.') || !name.ends_with(kEnding)) continue;
    std::string tenant;
    if (name != kNobody) {
      if (!name.starts_with(kTenant))
        return fail(Errc::kInvalid, files->path().string() + ": is no file of guardrails");
      tenant = name.substr(kTenant.size(), name.size() - kTenant.size() - kEnding.size());
      AISPM_CHECK(TenantRuleFiles::check_name(tenant));
    }
    AISPM_TRY(const std::string content, read_file(files->path(), kMaxFileBytes));
    auto guardrails = read_guardrail_list(content);
    if (!guardrails)
      return fail(guardrails.error().code,
                  files->path().string() + ": " + guardrails.error().message);
    all[tenant] = std::make_shared<const GuardrailSet>(std::move(*guardrails));
    if (all.size() > TenantConfig::kMaxTenants)
      return fail(Errc::kTooLarge, folder_ + ": guardrails of more than 64 tenants");
  }
  if (error) return fail(Errc::kUnavailable, folder_ + ": " + error.message());
  return all;
}

Result<> GuardrailFiles::write(const std::string& tenant,
                               const std::vector<Guardrail>& guardrails) const {
  if (!tenant.empty()) AISPM_CHECK(TenantRuleFiles::check_name(tenant));
  AISPM_CHECK(make_directories(folder_, 0700));
  AISPM_CHECK(check_own_folder(folder_));
  const std::string path = folder_ + "/" + file_of(tenant);
  if (!guardrails.empty())
    return write_file_atomically(path, guardrail_list_json(guardrails), 0600);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + path);
  const UniqueFd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_errno("fsync " + folder_);
  return {};
}

}  // namespace aispm::gateway
