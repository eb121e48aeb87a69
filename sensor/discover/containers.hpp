// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sdk/core/model/event.hpp"
#include "sensor/classify/container.hpp"

namespace aispm::sensor {

// Container and image of processes (SEN-023): /proc/PID/cgroup gives the id, the files of docker,
// containerd, CRI-O and podman the image. Remembers by cgroup and pid namespace, so a process of a
// known container costs one look-up. Not thread-safe.
class Containers {
 public:
  static constexpr std::size_t kMaxRemembered = 4096;
  static constexpr std::chrono::seconds kForgetAfter{60};

  struct Container {
    std::string id;  // empty outside of a container
    std::string image;
    std::string runtime;
  };

  // `root` is put before all paths: tests bring their own /proc and /var.
  explicit Containers(std::string root = "") : root_(std::move(root)) {}

  const Container& find(std::uint32_t pid, std::uint64_t cgroup_id, std::uint64_t pid_namespace);
  // The same, into the process.
  void fill(model::Process& process);

 private:
  using Clock = std::chrono::steady_clock;
  struct Remembered {
    Container container;
    Clock::time_point until;
  };
  std::string find_image(const ContainerRef& container) const;

  std::string root_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Remembered> remembered_;
};

}  // namespace aispm::sensor
