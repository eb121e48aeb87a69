// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sensor/classify/facts.hpp"
#include "sensor/classify/signatures.hpp"
#include "sensor/discover/containers.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Looks into running processes: what they map, hold open, import and listen on, and which names
// their environment has. Never keeps a value of a variable or a line of a script. Not thread-safe.
class ProcessScanner {
 public:
  static constexpr std::size_t kMaxMapsBytes = 8U << 20;
  static constexpr std::size_t kMaxEnvironmentBytes = 256U << 10;
  static constexpr std::size_t kMaxScriptBytes = 64U << 10;
  static constexpr std::size_t kMaxDescriptors = 4096;  // of one process that are looked at
  static constexpr std::size_t kMaxModels = 64;         // of one process
  static constexpr std::size_t kMaxPackages = 16;       // installed ones that are named

  // `extra_devices` stand for GPUs besides those of the signatures.
  ProcessScanner(Signatures signatures, std::set<std::string> extra_devices);

  void replace(Signatures signatures) { signatures_ = std::move(signatures); }
  // Nothing when the process is gone or is a kernel thread.
  std::optional<ProcessScan> scan(std::uint32_t pid);
  // Sockets are listed once for a round of scans.
  void start_round() { listeners_.clear(); }
  // Folders that AI programs work in: where project files may be.
  const std::set<std::string>& projects() const { return projects_; }

 private:
  using Listeners = std::map<std::uint64_t, std::pair<std::string, std::uint16_t>>;  // by inode

  void scan_maps(const std::string& folder, ProcessScan& scan);
  void scan_environment(const std::string& folder, ProcessScan& scan);
  void scan_descriptors(const std::string& folder, ProcessScan& scan);
  void scan_script(const std::string& folder, ProcessScan& scan);
  void scan_packages(const std::string& folder, ProcessScan& scan);
  void scan_mounts(const std::string& folder, ProcessScan& scan);
  void add(ProcessScan& scan, const char* type, const std::string& value, const Signature* found);
  void add_model(const std::string& open_path, const std::string& path, ProcessScan& scan);
  const Listeners& listeners(const std::string& folder);
  const std::vector<EvidenceItem>& installed(const std::string& site_folder,
                                             const std::string& ecosystem);

  Signatures signatures_;
  std::set<std::string> extra_devices_;
  Containers containers_;
  std::map<std::uint64_t, Listeners> listeners_;  // by network namespace
  std::map<std::string, std::pair<std::int64_t, std::vector<EvidenceItem>>>
      installed_;  // by folder, with its time of change
  std::set<std::string> projects_;
  std::string virtual_environment_;  // of the process being scanned
};

}  // namespace aispm::sensor
