// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/containers.hpp"

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxCgroupBytes = 64U << 10;
constexpr std::size_t kMaxRuntimeFileBytes = 4U << 20;

std::string text_of(const std::string& path) {
  return read_file(path, kMaxRuntimeFileBytes).value_or("");
}

}  // namespace

std::string Containers::find_image(const ContainerRef& container) const {
  // The runtime's name may be unknown: the file that is there tells.
  if (const std::string text =
          text_of(root_ + "/var/lib/docker/containers/" + container.id + "/config.v2.json");
      !text.empty())
    return docker_image(text);
  for (const char* space : {"k8s.io", "moby", "default"}) {
    const std::string path = root_ + "/run/containerd/io.containerd.runtime.v2.task/" + space +
                             "/" + container.id + "/config.json";
    if (const std::string image = oci_image(text_of(path)); !image.empty()) return image;
  }
  for (const char* storage : {"/var/lib/containers/storage", "/run/containers/storage"}) {
    const std::string folder = root_ + storage + "/overlay-containers/";
    if (const std::string image =
            oci_image(text_of(folder + container.id + "/userdata/config.json"));
        !image.empty())
      return image;
    if (const std::string list = text_of(folder + "containers.json"); !list.empty())
      if (const std::string image = podman_image(list, container.id); !image.empty()) return image;
  }
  return "";
}

const Containers::Container& Containers::find(std::uint32_t pid, std::uint64_t cgroup_id,
                                              std::uint64_t pid_namespace) {
  static const Container kNone;
  const auto now = Clock::now();
  const std::pair key(cgroup_id, pid_namespace);
  if (const auto known = remembered_.find(key);
      known != remembered_.end() && now < known->second.until)
    return known->second.container;
  const auto cgroup =
      read_file(root_ + "/proc/" + std::to_string(pid) + "/cgroup", kMaxCgroupBytes);
  if (!cgroup) return kNone;  // gone already: the next process of that cgroup tells
  Remembered entry;
  entry.until = now + kForgetAfter;
  if (const auto found = find_container(*cgroup)) {
    entry.container = {found->id, find_image(*found), found->runtime};
    // It stays what it is.
    if (!entry.container.image.empty()) entry.until = Clock::time_point::max();
  }
  if (remembered_.size() >= kMaxRemembered) remembered_.erase(remembered_.begin());
  return remembered_.insert_or_assign(key, std::move(entry)).first->second.container;
}

void Containers::fill(model::Process& process) {
  const Container& found = find(process.id.pid, process.cgroup_id, process.pid_namespace);
  process.container_id = found.id;
  process.container_image = found.image;
}

}  // namespace aispm::sensor
