// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// Which container a process is in, by its cgroup and the runtimes' own files. Pure.
namespace aispm::sensor {

struct ContainerRef {
  std::string runtime;  // "docker", "containerd", "cri-o", "podman", "kubernetes", "lxc", or empty
  std::string id;       // 64 hex digits
  std::string pod;      // Kubernetes: uid of the pod
};

// From all lines of /proc/PID/cgroup; nothing outside of a container.
std::optional<ContainerRef> find_container(std::string_view cgroup);

// The image's name in docker's config.v2.json; empty when it is not there.
std::string docker_image(const std::string& config);
// In an OCI runtime's config.json (containerd and CRI-O annotate it); empty when it is not there.
std::string oci_image(const std::string& config);
// In podman's containers.json: of the container with that id.
std::string podman_image(const std::string& containers, std::string_view id);

}  // namespace aispm::sensor
