// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/encode.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>

namespace aispm::sensor {
namespace {

aispm_file_key key_of(const struct stat& found) {
  aispm_file_key key{};
  key.inode = found.st_ino;
  key.device = static_cast<std::uint32_t>(::major(found.st_dev) << 20 | ::minor(found.st_dev));
  return key;
}

Result<> approve(const std::string& path, const RuleMask& rules, KernelMap::Content& content) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) ||
      (found.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
    return {};
  if (content.size() >= kMaxApproved)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxApproved) +
                                     " approved files; name fewer folders");
  const std::string key = bytes_of(key_of(found));
  aispm_approval approval{};
  if (const auto known = content.find(key); known != content.end())
    approval = value_of<aispm_approval>(known->second);
  RuleMask both{approval.rules};
  both |= rules;
  approval.rules = both.raw;
  approval.size = static_cast<std::uint64_t>(found.st_size);
  approval.modified_s = found.st_mtim.tv_sec;
  approval.modified_ns = static_cast<std::uint32_t>(found.st_mtim.tv_nsec);
  content[key] = bytes_of(approval);
  return {};
}

}  // namespace

std::string key_of(const model::ProcessId& id) {
  aispm_process_key key{};
  key.tgid = id.pid;
  key.start_boottime_ns = id.start.nanoseconds;
  return bytes_of(key);
}

std::string subject_bytes(const Subject& subject) {
  aispm_subject raw{};
  raw.rules = subject.rules.raw;
  raw.flags = subject.is_protected ? AISPM_SUBJECT_PROTECTED : 0;
  return bytes_of(raw);
}

std::string name_key(const std::string& suffix) {
  aispm_name_key key{};
  const std::size_t size = std::min<std::size_t>(suffix.size(), AISPM_NAME_BYTES - 1);
  std::copy_n(suffix.rbegin(), size, key.reversed);
  key.reversed[size] = '.';
  key.prefix_bits = static_cast<std::uint32_t>((size + 1) * 8);
  return bytes_of(key);
}

std::string address_key(const Prefix& prefix) {
  if (prefix.is_v6) {
    aispm_address6_key key{};
    key.prefix_bits = prefix.bits;
    std::copy_n(prefix.address.begin(), 16, key.address);
    return bytes_of(key);
  }
  aispm_address4_key key{};
  key.prefix_bits = prefix.bits;
  std::copy_n(prefix.address.begin(), 4, key.address);
  return bytes_of(key);
}

std::string endpoint_key(const ProtectedEndpoint& endpoint) {
  aispm_endpoint_key key{};
  std::copy_n(endpoint.address.begin(), endpoint.is_v6 ? 16 : 4, key.address);
  key.port = endpoint.port;
  key.family = endpoint.is_v6 ? AISPM_FAMILY_INET6 : AISPM_FAMILY_INET;
  return bytes_of(key);
}

std::string program_key(const std::string& name) {
  aispm_program_key key{};
  std::copy_n(name.begin(), std::min<std::size_t>(name.size(), AISPM_PROGRAM_NAME_BYTES - 1),
              key.name);
  return bytes_of(key);
}

std::optional<aispm_file_key> file_key(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return key_of(found);
}

KernelMap::Content encode_executables(const EnforceTables& tables) {
  std::map<std::string, Subject> by_key;
  for (const auto& [path, subject] : tables.executables) {
    const auto key = file_key(path);
    if (!key) continue;  // once it is there, refresh_files() finds it
    Subject& merged = by_key[bytes_of(*key)];
    merged.rules |= subject.rules;
    merged.is_protected = merged.is_protected || subject.is_protected;
  }
  KernelMap::Content content;
  for (const auto& [key, subject] : by_key) content[key] = subject_bytes(subject);
  return content;
}

KernelMap::Content encode_folders(const EnforceTables& tables) {
  KernelMap::Content content;
  for (const auto& [path, rules] : tables.folders) {
    const auto key = file_key(path);
    if (!key) continue;
    RuleMask merged = rules;
    const std::string bytes = bytes_of(*key);
    if (const auto known = content.find(bytes); known != content.end())
      merged |= RuleMask{value_of<aispm_rule_mask>(known->second)};
    content[bytes] = bytes_of(merged.raw);
  }
  return content;
}

Result<KernelMap::Content> encode_approved(const EnforceTables& tables) {
  namespace fs = std::filesystem;
  KernelMap::Content content;
  for (const auto& [path, rules] : tables.approved) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      AISPM_CHECK(approve(path, rules, content));
      continue;
    }
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator walk(path, options, error), end; !error && walk != end;
         walk.increment(error))
      AISPM_CHECK(approve(walk->path().string(), rules, content));
  }
  return content;
}

}  // namespace aispm::sensor
