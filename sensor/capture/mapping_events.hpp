// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sensor {

// A process mapped a file as code, by its loader or by dlopen.
struct CodeMapping {
  std::uint32_t pid = 0;
  std::string range;         // "7f0a...-7f0b...": names the file under /proc/PID/map_files
  std::uint64_t device = 0;  // as /proc/PID/maps shows it: major << 32 | minor
  std::uint64_t inode = 0;
  std::uint64_t generation = 0;  // tells apart files that get the same inode number in turn
  std::string path;              // in that process's mount namespace
};

// Tells which files processes map as code, as they do it: the kernel's perf side-band records. They
// cost only those who map code, unlike a tracepoint on mmap(2), which slows every system call of
// every process. Since 3.16. Not thread-safe.
class MappingEvents {
 public:
  struct Handlers {
    std::function<void(CodeMapping)> on_mapping;
    std::function<void(std::uint32_t parent, std::uint32_t child)> on_fork;  // processes only
    std::function<void(std::uint32_t pid)> on_exit;
  };

  // One small ring for each online CPU. kDenied or kUnsupported where perf events are refused.
  static Result<MappingEvents> open();

  const std::vector<int>& descriptors() const { return descriptors_; }
  // Hands over what is waiting.
  void drain(const Handlers& handlers);
  // Records that did not fit; a scan of /proc finds what they said.
  std::uint64_t lost() const { return lost_; }
  bool has_lost() const { return lost_ > forgotten_; }
  void forget_lost() { forgotten_ = lost_; }

 private:
  struct Unmap {
    void operator()(void* ring) const;
  };
  struct Cpu {
    UniqueFd event;
    std::unique_ptr<void, Unmap> ring;
  };

  MappingEvents() = default;
  void drain(const Cpu& cpu, const Handlers& handlers);

  std::vector<Cpu> cpus_;
  std::vector<int> descriptors_;
  std::uint64_t lost_ = 0;
  std::uint64_t forgotten_ = 0;
};

// One record of such a ring, for MappingEvents and its tests. Pure; returns false for a record that
// contradicts itself.
bool read_mapping_record(const std::string& record, const MappingEvents::Handlers& handlers,
                         std::uint64_t& lost);

}  // namespace aispm::sensor
