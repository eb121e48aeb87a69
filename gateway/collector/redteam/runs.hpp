// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "aispm/v1/redteam.pb.h"
#include "gateway/collector/config.hpp"
#include "gateway/collector/redteam/program.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/common/unique_fd.hpp"

// Runs of the red team against the gateway of the configuration, and texts of the operators' own,
// as files below `<state_folder>/redteam`: runs/<id>.json (who, when, how it ended),
// runs/<id>.report.json, corpora/<name>.jsonl. Neither texts nor keys are in runs.
namespace aispm::collector::redteam {

namespace pb = aispm::v1;

class Runs {
 public:
  static constexpr std::size_t kMaxRuns = 100;  // the oldest go
  static constexpr std::size_t kMaxCorpora = 32;
  static constexpr std::size_t kMaxCorpusBytes = 16U << 20;
  static constexpr std::size_t kMaxReportBytes = 16U << 20;
  static constexpr std::chrono::minutes kLimit{40};
  static constexpr std::chrono::seconds kCheckLimit{60};

  // A run that was going on when the collector ended has failed.
  static Result<std::unique_ptr<Runs>> open(RedTeamConfig config, const std::string& state_folder);
  // Ends the run that is going on.
  ~Runs();
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  // All: any thread. kUnsupported without `redteam:` in the configuration; kExhausted while a run
  // goes on; kNotFound for unknown texts or baselines.
  Result<pb::RedTeamRun> start(const pb::StartRedTeamRequest& request, const std::string& who,
                               WallTime now);
  Result<pb::RedTeamRunList> list() const;
  Result<pb::RedTeamRun> get(const std::string& id) const;
  Result<pb::RedTeamCorpus> put(const pb::PutRedTeamCorpusRequest& request);
  Result<pb::RedTeamCorpusList> corpora() const;
  Result<pb::RedTeamCorpus> remove(const std::string& name);

 private:
  Runs(RedTeamConfig config, std::string folder, UniqueFd stop);
  Result<> save(const pb::RedTeamRun& run) const;
  Result<pb::RedTeamRun> load(const std::string& id) const;
  std::vector<std::string> ids() const;  // newest first
  void finish(pb::RedTeamRun run, pid_t pid);
  Result<pb::RedTeamCorpus> describe(const std::string& name, const std::string& file) const;
  Result<std::vector<std::string>> arguments(const pb::StartRedTeamRequest& request,
                                             const std::string& id) const;
  std::string run_file(const std::string& id, const char* ending) const;
  std::vector<std::string> names() const;  // of corpora
  std::string corpus_file(const std::string& name) const;

  const RedTeamConfig config_;
  const Program program_;
  const std::string folder_;
  const UniqueFd stop_;  // eventfd
  mutable std::mutex mutex_;
  std::string running_;  // id
  std::thread thread_;   // waits for it
};

}  // namespace aispm::collector::redteam
