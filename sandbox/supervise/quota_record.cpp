// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/quota_record.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/quota.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace aispm::sandbox {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kAlign = 4;
constexpr std::uint16_t kTypeMask = 0x3FFF;  // NLA_TYPE_MASK

std::size_t aligned(std::size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

template <class T>
std::optional<T> number(Bytes value) {
  if (value.size() < sizeof(T)) return std::nullopt;
  T result{};
  std::memcpy(&result, value.data(), sizeof(T));
  return result;
}

// Calls `take(type, value)` for each whole attribute.
template <class Take>
void each_attribute(Bytes bytes, const Take& take) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr header{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.nla_len < sizeof(header) || header.nla_len > bytes.size()) return;
    take(static_cast<std::uint16_t>(header.nla_type & kTypeMask),
         bytes.subspan(sizeof(header), header.nla_len - sizeof(header)));
    bytes = bytes.subspan(std::min(aligned(header.nla_len), bytes.size()));
  }
}

std::string_view text(Bytes value) {
  const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
  return all.substr(0, all.find('\0'));
}

void read_groups(Bytes groups, QuotaRecord& record) {
  each_attribute(groups, [&](std::uint16_t, Bytes group) {
    std::string_view name;
    std::uint32_t id = 0;
    each_attribute(group, [&](std::uint16_t type, Bytes value) {
      if (type == CTRL_ATTR_MCAST_GRP_NAME) name = text(value);
      if (type == CTRL_ATTR_MCAST_GRP_ID) id = number<std::uint32_t>(value).value_or(0);
    });
    if (name == "events") record.group = id;
  });
}

}  // namespace

std::optional<QuotaRecord> read_quota_record(Bytes datagram, bool is_control) {
  if (datagram.size() < sizeof(nlmsghdr)) return std::nullopt;
  nlmsghdr header{};
  std::memcpy(&header, datagram.data(), sizeof(header));
  if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > datagram.size()) return std::nullopt;
  QuotaRecord record;
  record.message_type = header.nlmsg_type;
  constexpr std::size_t kHead = NLMSG_HDRLEN + GENL_HDRLEN;
  if (header.nlmsg_type < NLMSG_MIN_TYPE || header.nlmsg_len < kHead) return record;
  each_attribute(datagram.subspan(kHead, header.nlmsg_len - kHead),
                 [&](std::uint16_t type, Bytes value) {
                   if (is_control) {
                     if (type == CTRL_ATTR_FAMILY_ID)
                       record.family = number<std::uint16_t>(value).value_or(0);
                     if (type == CTRL_ATTR_MCAST_GROUPS) read_groups(value, record);
                     return;
                   }
                   if (type == QUOTA_NL_A_QTYPE) record.kind = number<std::uint32_t>(value);
                   if (type == QUOTA_NL_A_EXCESS_ID) record.id = number<std::uint64_t>(value);
                   if (type == QUOTA_NL_A_WARNING) record.warning = number<std::uint32_t>(value);
                 });
  return record;
}

bool is_refusal(const QuotaRecord& record, std::uint16_t family, std::uint32_t project) {
  return record.message_type == family && record.kind == std::uint32_t{PRJQUOTA} &&
         record.id == std::uint64_t{project} &&
         (record.warning == std::uint32_t{QUOTA_NL_BHARDWARN} ||
          record.warning == std::uint32_t{QUOTA_NL_IHARDWARN});
}

}  // namespace aispm::sandbox
