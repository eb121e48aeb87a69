// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/audit_record.hpp"

#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "sandbox/supervise/notifier.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxFieldBytes = 4096;

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Names that hold control characters, spaces or quotes come as hex digits.
std::string unhex(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto byte = parse_number<std::uint8_t>(text.substr(i, 2), 16);
    if (!byte) return std::string(text);
    result += static_cast<char>(*byte);
  }
  return text.size() % 2 == 0 && !text.empty() ? result : std::string(text);
}

// Fields of text that the kernel writes by audit_log_untrustedstring().
bool is_untrusted(std::string_view name) {
  return name == "path" || name == "name" || name == "comm" || name == "exe" || name == "dev" ||
         name == "ocomm";
}

// What Landlock answers. Source: security/landlock/{fs,task,net}.c.
int error_of(std::string_view blockers) {
  if (blockers.starts_with("ptrace") || blockers.starts_with("scope") ||
      blockers.starts_with("fs.change_topology"))
    return EPERM;
  if (blockers == "fs.refer") return EXDEV;
  return EACCES;
}

// "/etc/shadow (fs.read_file)", "aispm-init (scope.signal)".
Denial denial_of(std::string_view record, const std::string& blockers) {
  Denial denial{DenialKind::kSyscall, blockers, "", error_of(blockers)};
  for (const char* name : {"path", "name", "daddr", "ocomm"}) {
    const std::string value = audit_field(record, name);
    if (value.empty()) continue;
    denial.target = value + " (" + blockers + ")";
    break;
  }
  if (blockers.starts_with("fs.")) denial.kind = DenialKind::kFile;
  if (blockers.starts_with("net.")) denial.kind = DenialKind::kConnect;
  return denial;
}

}  // namespace

std::string audit_field(std::string_view record, std::string_view name) {
  for (std::size_t at = 0; (at = record.find(name, at)) != std::string_view::npos;
       at += name.size()) {
    const std::size_t equals = at + name.size();
    if ((at != 0 && record[at - 1] != ' ') || equals >= record.size() || record[equals] != '=')
      continue;
    std::string_view value = record.substr(equals + 1);
    if (!value.empty() && value[0] == '"') {
      value.remove_prefix(1);
      return std::string(value.substr(0, std::min(value.find('"'), kMaxFieldBytes)));
    }
    value = value.substr(0, std::min(value.find(' '), kMaxFieldBytes));
    while (!value.empty() && (value.back() == '\0' || value.back() == '\n')) value.remove_suffix(1);
    return is_untrusted(name) ? unhex(value) : std::string(value);
  }
  return {};
}

bool AuditRecords::is_ours(const std::string& domain) const {
  return std::find(domains_.begin(), domains_.end(), domain) != domains_.end();
}

std::vector<Denial> AuditRecords::read(std::uint16_t type, std::string_view record) {
  switch (type) {
    case kAuditLandlockAccess:
      return read_access(record);
    case kAuditLandlockDomain:
      return read_domain(record);
    case kAuditSeccomp:
      return read_seccomp(record);
    default:
      return {};
  }
}

std::vector<Denial> AuditRecords::read_access(std::string_view record) {
  std::string domain = audit_field(record, "domain");
  const std::string blockers = audit_field(record, "blockers");
  if (domain.empty() || blockers.empty()) return {};
  Denial denial = denial_of(record, blockers);
  if (is_ours(domain)) return {std::move(denial)};
  // The oldest is of a domain older than this reader, so of somebody else's.
  if (waiting_.size() >= kMaxWaiting) waiting_.pop_front();
  waiting_.push_back({std::move(domain), std::move(denial)});
  return {};
}

std::vector<Denial> AuditRecords::read_domain(std::string_view record) {
  const std::string domain = audit_field(record, "domain");
  if (audit_field(record, "status") != "allocated") return {};
  const bool ours = parse_number<std::uint32_t>(audit_field(record, "uid"), 10) == host_uid_;
  if (ours && !is_ours(domain) && domains_.size() < kMaxDomains) domains_.push_back(domain);
  std::vector<Denial> found;
  for (auto& waiting : waiting_)
    if (ours && waiting.domain == domain) found.push_back(std::move(waiting.denial));
  std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.domain == domain; });
  return found;
}

// Only where a filter kills: every other refusal comes by user notification.
std::vector<Denial> AuditRecords::read_seccomp(std::string_view record) const {
  if (parse_number<std::uint32_t>(audit_field(record, "uid"), 10) != host_uid_) return {};
  const auto arch = parse_number<std::uint32_t>(audit_field(record, "arch"), 16);
  const auto number = parse_number<int>(audit_field(record, "syscall"), 10);
  if (!arch || !number) return {};
  seccomp_data call{};
  call.arch = *arch;
  call.nr = *number;
  return {{DenialKind::kSyscall, "killed: " + name_call(call), "", 0}};
}

}  // namespace aispm::sandbox
