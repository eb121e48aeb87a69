// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/trace_folder.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <string>

namespace aispm::sensor {
namespace {

constexpr const char* kFolder = "/sys/kernel/tracing";
constexpr const char* kOldFolder = "/sys/kernel/debug/tracing";  // within debugfs

bool is_trace_folder(const char* path) {
  struct statfs found {};
  return ::statfs(path, &found) == 0 && found.f_type == TRACEFS_MAGIC;
}

}  // namespace

Result<> provide_trace_folder() {
  if (is_trace_folder(kFolder) || is_trace_folder(kOldFolder)) return {};
  if (::mount("tracefs", kFolder, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    return fail_errno(std::string("mount -t tracefs tracefs ") + kFolder);
  return {};
}

}  // namespace aispm::sensor
