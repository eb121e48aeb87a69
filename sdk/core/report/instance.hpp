// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

namespace aispm::report {

// Tells daemons of one kind on one host apart, by their state folders: no two share one. Beyond 96
// bytes the end is sent, which says more of a path than its beginning; what is not printable ASCII
// as "?". Nothing for an empty one.
inline void name_instance(grpc::ClientContext& context, std::string state_folder) {
  constexpr std::size_t kMaxBytes = 96;
  if (state_folder.empty()) return;
  if (state_folder.size() > kMaxBytes) state_folder.erase(0, state_folder.size() - kMaxBytes);
  for (char& c : state_folder)
    if (c <= ' ' || c > '~') c = '?';
  context.AddMetadata("x-aispm-instance", state_folder);
}

}  // namespace aispm::report
