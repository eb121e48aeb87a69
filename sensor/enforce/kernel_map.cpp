// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/kernel_map.hpp"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>

#include "sensor/model/enforce_tables.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxEntries = 1U << 20;  // ends a walk that others keep feeding

// Rules of both; a value that is no mask (a mere mark) stays as it is.
std::string merge(const std::string& before, std::string value) {
  if (value.size() < sizeof(aispm_rule_mask) || before.size() != value.size()) return value;
  aispm_rule_mask old{};
  aispm_rule_mask fresh{};
  std::memcpy(&old, before.data(), sizeof(old));
  std::memcpy(&fresh, value.data(), sizeof(fresh));
  RuleMask both{fresh};
  both |= RuleMask{old};
  std::memcpy(value.data(), &both.raw, sizeof(both.raw));
  return value;
}

}  // namespace

Result<std::map<std::string, std::string>> read_map(int fd, const std::string& name,
                                                    std::size_t key_bytes,
                                                    std::size_t value_bytes) {
  std::map<std::string, std::string> content;
  std::string key(key_bytes, '\0');
  std::string next(key_bytes, '\0');
  std::string value(value_bytes, '\0');
  bool is_first = true;
  for (std::size_t i = 0; i < kMaxEntries; ++i) {
    if (::bpf_map_get_next_key(fd, is_first ? nullptr : key.data(), next.data()) != 0) {
      if (errno == ENOENT) return content;
      return fail_errno("read table " + name);
    }
    is_first = false;
    key = next;
    if (::bpf_map_lookup_elem(fd, key.data(), value.data()) == 0) content[key] = value;
  }
  return content;
}

Result<KernelMap> KernelMap::open(int fd, const std::string& name, std::size_t key_bytes,
                                  std::size_t value_bytes) {
  KernelMap map(fd, name);
  AISPM_TRY(map.content_, read_map(fd, name, key_bytes, value_bytes));
  return map;
}

Result<> KernelMap::write(const std::string& key, const std::string& value) {
  const auto known = content_.find(key);
  if (known != content_.end() && known->second == value) return {};
  if (::bpf_map_update_elem(fd_, key.data(), value.data(), BPF_ANY) != 0) {
    if (errno == E2BIG || errno == ENOSPC || errno == ENOMEM)
      return fail(Errc::kExhausted, "table " + name_ + " of the kernel is full", errno);
    return fail_errno("write table " + name_);
  }
  content_.insert_or_assign(key, value);
  return {};
}

Result<> KernelMap::add(const Content& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto known = content_.find(key);
    if (known == content_.end()) {
      AISPM_CHECK(write(key, value));
    } else {
      AISPM_CHECK(write(key, merge(known->second, value)));
    }
  }
  return {};
}

Result<> KernelMap::finish(const Content& wanted) {
  for (const auto& [key, value] : wanted) AISPM_CHECK(write(key, value));
  for (auto entry = content_.begin(); entry != content_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    if (::bpf_map_delete_elem(fd_, entry->first.data()) != 0 && errno != ENOENT)
      return fail_errno("clear table " + name_);
    entry = content_.erase(entry);
  }
  return {};
}

}  // namespace aispm::sensor
