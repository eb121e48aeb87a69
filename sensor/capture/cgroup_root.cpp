// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/cgroup_root.hpp"

#include <mntent.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "sdk/core/common/c_ptr.hpp"

namespace aispm::sensor {

std::string find_cgroup_root() {
  const CPtr<FILE, ::endmntent> mounts(::setmntent("/proc/mounts", "re"));
  if (!mounts) return {};
  while (const mntent* mount = ::getmntent(mounts.get()))
    if (std::strcmp(mount->mnt_type, "cgroup2") == 0) return mount->mnt_dir;
  return {};
}

}  // namespace aispm::sensor
