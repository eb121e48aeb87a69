// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sandbox/model/filter.hpp"
#include "sandbox/model/sha256.hpp"
#include "sandbox/plan/plan.hpp"

namespace aispm::sandbox {
namespace {

std::string digest_of(const Filter& filter) {
  std::string text;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const auto& step = filter[i];
    for (const unsigned shift : {0U, 8U}) text += static_cast<char>(step.code >> shift & 255U);
    text += static_cast<char>(step.jt);
    text += static_cast<char>(step.jf);
    for (const unsigned shift : {0U, 8U, 16U, 24U})
      text += static_cast<char>(step.k >> shift & 255U);
  }
  return sha256_hex(text);
}

std::string kind_of(const Mount& mount) {
  switch (mount.kind) {
    case Mount::Kind::kBindReadOnly:
      return "read-only";
    case Mount::Kind::kBindReadWrite:
      return "read-write";
    case Mount::Kind::kDevice:
      return "device";
    case Mount::Kind::kTmpfs:
      return "scratch";
    case Mount::Kind::kProc:
      return "proc";
    default:
      return "";  // made inside, of what stands here
  }
}

}  // namespace

std::vector<std::string> describe_boundary(const Plan& plan,
                                           const std::vector<std::string>& mechanisms,
                                           const std::vector<std::string>& digests) {
  std::vector<std::string> lines;
  for (const auto& mount : plan.mounts) {
    const std::string kind = kind_of(mount);
    if (kind.empty()) continue;
    lines.push_back(
        "mount " + kind + " " + mount.target +
        (mount.source.empty() || mount.source == mount.target ? "" : " from " + mount.source) +
        (mount.kind == Mount::Kind::kTmpfs ? " " + std::to_string(mount.bytes) : ""));
  }
  lines.emplace_back(plan.gateway_socket.empty() ? "egress none" : "egress gateway");
  for (const auto& rule : plan.allow_hosts) lines.push_back("egress host " + to_text(rule));
  for (const auto& name : mechanisms)
    if (!name.starts_with("hostuid:")) lines.push_back("mechanism " + name);  // another every run
  lines.push_back("seccomp sha256:" + digest_of(plan.runtime.executable.empty()
                                                    ? kNativeFilter
                                                    : kNativeRuntimeFilter));
  for (const auto& digest : plan.admit) lines.push_back("admit sha256:" + digest);
  const Limits& limits = plan.limits;
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"memory", limits.memory_bytes},
      {"pids", limits.pids},
      {"open_files", limits.open_files},
      {"file_size", limits.file_size_bytes},
      {"disk", limits.disk_bytes},
      {"output", limits.output_bytes},
      {"cpu_milli", limits.cpu_milli},
      {"cpu_time_ms", static_cast<std::uint64_t>(limits.cpu_time.count())},
      {"wall_time_ms", static_cast<std::uint64_t>(limits.wall_time.count())}};
  for (const auto& [name, value] : numbers)
    lines.push_back(std::string("limit ") + name + " " + std::to_string(value));
  if (limits.workspace_bytes != 0)
    lines.push_back("limit workspace " + std::to_string(limits.workspace_bytes));
  lines.insert(lines.end(), digests.begin(), digests.end());
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace aispm::sandbox
