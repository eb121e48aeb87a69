// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/probe_plan.hpp"
#include "sensor/capture/tls_probes.hpp"

namespace aispm::sensor {

class ElfImage;

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;
};
// Differs when a file's content was changed in place.
struct FileStamp {
  std::uint64_t size_bytes = 0;
  std::int64_t changed_ns = 0;  // ctime: its owner cannot set it
  bool operator==(const FileStamp&) const = default;
};

// A TLS library inside a file, and how it is captured.
struct ProbedLibrary {
  std::string path;  // as a process named it
  std::string library;
  std::string method;
  std::size_t probes = 0;
  std::size_t emulated = 0;
  std::string error;  // why it is not captured; empty when it is
};

// Every file that was looked at for TLS: analysed once, probed once, whoever maps it. Fast planners
// answer the caller; slow ones work on a thread of low priority. Thread-safe.
class ProbedFiles {
 public:
  static constexpr std::size_t kMaxFiles = 65536;     // looked at
  static constexpr std::size_t kMaxLibraries = 1024;  // probed
  static constexpr std::size_t kMaxQueue = 1024;      // waiting for a slow planner

  explicit ProbedFiles(const TlsProbes& probes);
  ~ProbedFiles();

  // Replaces the planner of the same name and forgets what it answered. Any thread.
  void set_planner(std::shared_ptr<const Planner> planner);

  // Analyses and probes the file unless that was done. `open_path` is how to reach it now, `name`
  // how to call it. Returns its id, or nothing when it is no regular file.
  std::optional<FileId> look_at(const std::string& open_path, const std::string& name);
  // What is known about a file by now; empty: no TLS in it.
  std::vector<ProbedLibrary> libraries_of(const FileId& id) const;
  bool is_known(const FileId& id) const;
  // Detaches from a file that nobody maps any more.
  void forget(const FileId& id);

  struct Stats {
    std::vector<ProbedLibrary> libraries;
    std::uint64_t files = 0;    // looked at
    std::uint64_t refused = 0;  // not looked at: a limit was reached
  };
  Stats stats() const;
  // The ids of files with libraries.
  std::vector<FileId> probed_ids() const;

 private:
  struct File {
    FileStamp stamp;
    std::string name;
    std::vector<ProbedLibrary> libraries;
    std::vector<TlsProbes::Attached> links;
  };
  struct SlowWork {
    FileId id;
    UniqueFd file;
    std::string name;
  };
  using Planners = std::vector<std::shared_ptr<const Planner>>;

  Planners planners_of(Planner::Speed speed) const;
  // True when a fast planner knew the file.
  bool analyse(int fd, const FileId& id, const std::string& name, Planner::Speed speed);
  Result<TlsProbes::Attached> attach_plan(int fd, const ProbePlan& plan, const ElfImage& image);
  void attach(int fd, const FileId& id, const std::string& name, std::vector<ProbePlan> plans,
              const ElfImage& image);
  void run_slow();

  const TlsProbes& probes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Planners planners_;
  std::map<FileId, File> files_;
  std::size_t probed_ = 0;
  std::uint64_t refused_ = 0;
  std::deque<SlowWork> slow_;
  bool stops_ = false;
  std::thread slow_thread_;
};

}  // namespace aispm::sensor
