// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
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
  std::string site;         // where writes are probed: "SSL_write, emulated"
  std::string error;        // why it is not captured; empty when it is
  bool is_failure = false;  // of ours, not the lack of a way to capture it
};

// Every file that was looked at for TLS: analysed once, probed once, whoever maps it. Fast planners
// answer the caller; slow ones work on a thread of low priority. Thread-safe.
class ProbedFiles {
 public:
  static constexpr std::size_t kMaxFiles = 65536;     // looked at
  static constexpr std::size_t kMaxLibraries = 1024;  // probed
  static constexpr std::size_t kMaxQueue = 1024;      // waiting for a slow planner

  // Answers of slow planners are kept under `cache_folder`; empty: nowhere.
  ProbedFiles(const TlsProbes& probes, std::string cache_folder);
  ~ProbedFiles();

  // Replaces the planner of the same name and forgets what nobody understood. Any thread.
  void set_planner(std::shared_ptr<const Planner> planner);

  // Analyses and probes the file unless that was done. `open_path` is how to reach it now, `name`
  // how to call it. Returns its id, or nothing when it is no regular file.
  std::optional<FileId> look_at(const std::string& open_path, const std::string& name);

  struct Verdict {
    std::vector<ProbedLibrary> libraries;
    std::uint64_t version = 0;  // grows when `libraries` changes
    bool is_pending = false;    // a slow planner has not answered yet
  };
  Verdict verdict_of(const FileId& id) const;
  // Has TLS in it, or is waiting for a slow planner's answer.
  bool may_have_tls(const FileId& id) const;
  // Detaches from a file that nobody maps any more.
  void forget(const FileId& id);

  struct Stats {
    std::vector<ProbedLibrary> libraries;
    std::uint64_t files = 0;    // looked at
    std::uint64_t refused = 0;  // not looked at: a limit was reached
    std::uint64_t pending = 0;  // waiting for a slow planner
    std::uint64_t cached = 0;   // answered from the disk
  };
  Stats stats() const;
  // Grows with every change of any verdict.
  std::uint64_t changes() const { return changes_; }

 private:
  struct File {
    FileStamp stamp;
    std::string name;
    std::vector<ProbedLibrary> libraries;
    std::vector<TlsProbes::Attached> links;
    std::uint64_t version = 0;
    bool is_pending = false;
  };
  struct SlowWork {
    FileId id;
    FileStamp stamp;
    UniqueFd file;
    std::string name;
  };
  using Planners = std::vector<std::shared_ptr<const Planner>>;

  Planners planners_of(Planner::Speed speed) const;
  // Nothing: no planner knows the file.
  std::vector<ProbePlan> ask(const ElfImage& image, const std::string& name,
                             std::uint64_t size_bytes, const Planners& planners) const;
  // What slow planners say, from the disk where they said it before.
  std::vector<ProbePlan> ask_slowly(const ElfImage& image, const SlowWork& work);
  void queue_slowly(SlowWork work);
  Result<TlsProbes::Attached> attach_plan(int fd, const ProbePlan& plan, const ElfImage& image);
  void attach(int fd, const FileId& id, const std::string& name,
              const std::vector<ProbePlan>& plans, const ElfImage& image);
  void run_slow();

  const TlsProbes& probes_;
  const std::string cache_folder_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Planners planners_;
  std::map<FileId, File> files_;
  std::size_t probed_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t cached_ = 0;
  std::atomic<std::uint64_t> changes_ = 0;
  std::deque<SlowWork> slow_;
  bool stops_ = false;
  std::thread slow_thread_;
};

}  // namespace aispm::sensor
