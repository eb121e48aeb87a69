// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sandbox/requirements/json.hpp"
#include "sandbox/requirements/requirements.hpp"

namespace aispm::sandbox {
namespace {

namespace json = boost::json;

bool is_sha256(std::string_view hash) {
  return hash.size() == 64 && std::all_of(hash.begin(), hash.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Newer pips give `hashes`, older ones `hash`.
std::string sha256_of(const json::object& archive) {
  if (const auto* hashes = object_of(archive, "hashes")) return text_of(*hashes, "sha256");
  const std::string hash = text_of(archive, "hash");
  return hash.starts_with("sha256=") ? hash.substr(7) : "";
}

// Without what may hold a password or a token.
std::string plain_url(const std::string& url) {
  constexpr std::size_t kMaxUrlBytes = 512;
  if (!url.starts_with("https://") || url.size() > kMaxUrlBytes) return "";
  const auto end = url.find_first_of("?#");
  const auto host = url.substr(8, url.find('/', 8) - 8);
  return host.find('@') == std::string::npos ? url.substr(0, end) : "";
}

std::string normal_name(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == '.') c = '-';
  }
  return name;
}

}  // namespace

Result<Resolved> parse_pip_report(const std::string& text) {
  AISPM_TRY(const json::object report, parse_object(text, "pip's report"));
  const auto* list = report.if_contains("install");
  const auto* environment = object_of(report, "environment");
  if (text_of(report, "version") != "1" || list == nullptr || !list->is_array() ||
      environment == nullptr)
    return fail(Errc::kUnsupported,
                "pip's report is of an unknown format: pip 22.2 or later is needed");
  if (list->get_array().size() > kMaxPackages)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxPackages) + " packages");
  Resolved resolved;
  for (const char* key :
       {"implementation_name", "python_full_version", "sys_platform", "platform_machine"})
    resolved.environment += text_of(*environment, key) + " ";
  for (const auto& item : list->get_array()) {
    const auto* entry = item.if_object();
    const auto* metadata = entry == nullptr ? nullptr : object_of(*entry, "metadata");
    const auto* download = entry == nullptr ? nullptr : object_of(*entry, "download_info");
    const auto* archive = download == nullptr ? nullptr : object_of(*download, "archive_info");
    if (metadata == nullptr || archive == nullptr)
      return fail(Errc::kInvalid, "pip's report names a package that came from no file");
    const std::string hash = sha256_of(*archive);
    Package package{normal_name(text_of(*metadata, "name")), text_of(*metadata, "version"),
                    "sha256:" + hash, plain_url(text_of(*download, "url"))};
    if (!is_package_name(package.name) || !is_package_version(package.version) || !is_sha256(hash))
      return fail(Errc::kInvalid, "pip's report names a package without name, version or sha256");
    resolved.packages.push_back(std::move(package));
  }
  std::sort(resolved.packages.begin(), resolved.packages.end(),
            [](const Package& a, const Package& b) { return a.name < b.name; });
  return resolved;
}

}  // namespace aispm::sandbox
