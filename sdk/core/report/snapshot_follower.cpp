// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/snapshot_follower.hpp"

#include "sdk/core/common/file.hpp"

namespace aispm::report {

Result<> prepare_to_follow(const ReporterOptions& options) {
  AISPM_TRY(const std::string host, host_of(options.collector));
  if (host.empty() || options.state_folder.empty())
    return fail(Errc::kInvalid, "the collector's address or the state folder is missing");
  return make_directories(options.state_folder, 0700);
}

}  // namespace aispm::report
