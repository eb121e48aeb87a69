// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// `limits.workspace`: the workspace as a project of its own, with a quota, while the run lasts.
// Each has a locked record in /var/lib/aispm/projects; what a killed run left is given back by the
// next one of root's.
class WorkspaceQuota {
 public:
  // Nothing where the plan asks for none. An error is a refusal of the run, with the remedy.
  static Result<WorkspaceQuota> open(const Plan& plan);
  WorkspaceQuota(WorkspaceQuota&& other) noexcept;
  WorkspaceQuota& operator=(WorkspaceQuota&&) = delete;
  ~WorkspaceQuota();

  // 0: there is none.
  std::uint32_t project() const { return project_; }
  // Nothing more fits at this moment.
  bool is_full() const;
  // Gives all files back and lifts the limit. The error is for the caller to read; what was left
  // then belongs to a project without a limit.
  Result<> close();

 private:
  WorkspaceQuota() = default;
  Result<> take_number();
  Result<> begin(std::uint64_t bytes);

  std::string path_;
  UniqueFd folder_;
  UniqueFd record_;  // locked
  std::uint32_t project_ = 0;
};

// Gives back what runs that were killed left: bounded, and quick where there is nothing.
void sweep_projects();

// What the host can do for the current folder, for `aispm-run doctor`.
Result<std::string> describe_workspace_quota(const std::string& folder);

}  // namespace aispm::sandbox
