// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

// The kernel's announcements of quotas (generic netlink family VFS_DQUOT). Pure; any bytes are
// safe. Source: Linux fs/quota/netlink.c and include/uapi/linux/{quota,genetlink}.h.
namespace aispm::sandbox {

// What a datagram of generic netlink holds, of what is needed here.
struct QuotaRecord {
  std::uint16_t message_type = 0;        // the family's number, NLMSG_ERROR, ...
  std::uint16_t family = 0;              // CTRL_ATTR_FAMILY_ID of an answer about a family
  std::uint32_t group = 0;               // its multicast group "events"
  std::optional<std::uint32_t> kind;     // QUOTA_NL_A_QTYPE: 2 is a project
  std::optional<std::uint64_t> id;       // QUOTA_NL_A_EXCESS_ID
  std::optional<std::uint32_t> warning;  // QUOTA_NL_A_WARNING
};

// The first message of the datagram, an answer about a family (`is_control`) or an announcement.
// Nothing when it is cut.
std::optional<QuotaRecord> read_quota_record(std::span<const std::uint8_t> datagram,
                                             bool is_control);

// A write or a new file of that project was refused.
bool is_refusal(const QuotaRecord& record, std::uint16_t family, std::uint32_t project);

}  // namespace aispm::sandbox
