// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/collector/approvals.hpp"
#include "gateway/collector/ingest/writer.hpp"
#include "gateway/collector/workers.hpp"

namespace aispm::collector::api {

// What a link made by CreateApprovalLink shows: one page, which changes nothing, and the form on
// it, which does. Whoever merely follows a link (a mail scanner) decides nothing.
struct Page {
  int status = 200;
  std::string html;
};
inline constexpr std::string_view kApprovalPath = "/approve/";
inline constexpr std::size_t kMaxFormBytes = 4096;

Page show_approval(Desk& desk, const Approvals& approvals, std::string_view token, WallTime now);
// `form`: decision=approve|deny&reason=..., as browsers send it.
Page answer_approval(Desk& desk, Approvals& approvals, std::string_view token,
                     std::string_view form, WallTime now);

}  // namespace aispm::collector::api
