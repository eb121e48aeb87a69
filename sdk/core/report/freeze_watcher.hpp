// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "aispm/v1/policy.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/freeze_book.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::report {

// Follows the collector's freezes and tells it when each is in force here (same certificate and
// state folder as a Reporter). The last snapshot is kept on disk.
class FreezeWatcher {
 public:
  // Says what of a book is not in force yet ("" = all is), once before OnChange returns and again
  // whenever that changes. The collector is told. Any thread, for ever; a word about an older book
  // than the last is passed over.
  using Say = std::function<void(const std::string& late)>;
  // Runs on a thread of the watcher with every new book and puts it in force. First with what is on
  // disk (without a file with an empty book, with a damaged one with a book that freezes
  // everybody).
  using OnChange = std::function<void(std::shared_ptr<const policy::FreezeBook>, Say)>;
  // Returns when `on_change` has been called once.
  static Result<std::unique_ptr<FreezeWatcher>> open(const ReporterOptions& options,
                                                     OnChange on_change);
  virtual ~FreezeWatcher() = default;
};

// kInvalid: a scope that this version does not know, or one that names nobody. Never wider than it
// was meant.
Result<policy::Freeze> from_proto(const v1::Freeze& freeze);

}  // namespace aispm::report
