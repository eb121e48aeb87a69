// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "aispm/v1/policy.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/policy_book.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::report {

// Follows the policies that the collector assigns to this host, compiles them and tells the
// collector what came of each (same certificate and state folder as a Reporter). The last snapshot
// is kept on disk.
class PolicyWatcher {
 public:
  // Runs on a thread of the watcher with every new book: first with what is on disk (without a file
  // with an empty book, with a damaged one with a book that denies everybody).
  using OnChange = std::function<void(std::shared_ptr<const policy::PolicyBook>)>;
  // Returns when `on_change` has been called once.
  static Result<std::unique_ptr<PolicyWatcher>> open(const ReporterOptions& options,
                                                     policy::PolicyRules rules, OnChange on_change);
  virtual ~PolicyWatcher() = default;
};

// Only what this version can hold; nothing for a stage that is never distributed.
Result<policy::OfferedPolicy> from_proto(const v1::PolicySnapshot::Assigned& assigned);

}  // namespace aispm::report
