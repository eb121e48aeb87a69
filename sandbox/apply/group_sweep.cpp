// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/group_sweep.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <ctime>

#include "sandbox/apply/slots.hpp"
#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {
namespace {

using Folder = CPtr<DIR, closedir>;

constexpr std::size_t kMaxNames = 4096;
constexpr std::size_t kMaxRemoved = 64;
// A process of another pid namespace may share our groups; it has joined its own by then.
constexpr std::time_t kSettledSeconds = 5;

bool take_number(std::string_view& text, unsigned& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// Nobody else with our names has that number: whoever gets it removes the group first.
bool is_process_gone(unsigned pid) {
  const auto name = read_file("/proc/" + std::to_string(pid) + "/comm", 64);
  return !name || !(name->starts_with("aispm-run") || name->starts_with("aispm-pool"));
}

bool is_settled(const std::string& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 &&
         std::time(nullptr) - status.st_ctime >= kSettledSeconds;
}

bool remove_abandoned(const std::string& folder, const GroupOwner& owner) {
  if (owner.kind == GroupOwner::Kind::kProcess)
    return is_process_gone(owner.number) && is_settled(folder) && ::rmdir(folder.c_str()) == 0;
  // Held until the group is gone: no run can take this user id meanwhile.
  const UniqueFd slot(
      ::open((std::string(kUidSlotFolder) + "/" + std::to_string(owner.number)).c_str(),
             O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  return slot && ::flock(slot.get(), LOCK_EX | LOCK_NB) == 0 && ::rmdir(folder.c_str()) == 0;
}

}  // namespace

GroupOwner owner_of_group(std::string_view name) {
  constexpr std::string_view kRun = "aispm-run-";
  constexpr std::string_view kPool = "aispm-pool-";
  GroupOwner owner;
  const bool is_run = name.starts_with(kRun);
  if (!is_run && !name.starts_with(kPool)) return {};
  name.remove_prefix(is_run ? kRun.size() : kPool.size());
  if (!take_number(name, owner.number)) return {};
  owner.kind = GroupOwner::Kind::kProcess;
  if (is_run && name.empty()) owner.kind = GroupOwner::Kind::kSlot;
  if (is_run) return name.empty() || name == ".scope" ? owner : GroupOwner{};
  unsigned entry = 0;
  if (!name.starts_with('-')) return {};
  name.remove_prefix(1);
  return take_number(name, entry) && (name.empty() || name == ".scope") ? owner : GroupOwner{};
}

std::size_t sweep_groups(const std::vector<std::string>& parents) {
  std::size_t removed = 0;
  for (const auto& parent : parents) {
    const Folder folder(::opendir(parent.c_str()));
    if (!folder) continue;
    for (std::size_t i = 0; i < kMaxNames && removed < kMaxRemoved; ++i) {
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr) break;
      const GroupOwner owner = owner_of_group(entry->d_name);
      if (owner.kind != GroupOwner::Kind::kNone &&
          remove_abandoned(parent + "/" + entry->d_name, owner))
        ++removed;
    }
  }
  return removed;
}

}  // namespace aispm::sandbox
