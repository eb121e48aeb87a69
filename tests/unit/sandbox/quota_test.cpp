// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/quota.h>

#include <cstring>
#include <vector>

#include "sandbox/supervise/quota_record.hpp"

namespace aispm::sandbox {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint16_t kFamily = 0x19;

template <class T>
Bytes bytes_of(T value) {
  Bytes bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

Bytes attribute(std::uint16_t type, const Bytes& value) {
  Bytes bytes = bytes_of(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type});
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Bytes message(std::uint16_t type, const Bytes& attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + GENL_HDRLEN + attributes.size());
  header.nlmsg_type = type;
  return join({bytes_of(header), bytes_of(genlmsghdr{1, 1, 0}), attributes});
}

Bytes warning(std::uint32_t kind, std::uint64_t id, std::uint32_t what) {
  return message(kFamily, join({attribute(QUOTA_NL_A_QTYPE, bytes_of(kind)),
                                attribute(QUOTA_NL_A_EXCESS_ID, bytes_of(id)),
                                attribute(QUOTA_NL_A_WARNING, bytes_of(what))}));
}

TEST(QuotaRecord, TellsTheFamilyAndItsGroup) {
  const Bytes name = {'e', 'v', 'e', 'n', 't', 's', 0};
  const Bytes group = attribute(1, join({attribute(CTRL_ATTR_MCAST_GRP_ID, bytes_of(7U)),
                                         attribute(CTRL_ATTR_MCAST_GRP_NAME, name)}));
  const auto record = read_quota_record(
      message(GENL_ID_CTRL, join({attribute(CTRL_ATTR_FAMILY_ID, bytes_of(kFamily)),
                                  attribute(CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED, group)})),
      true);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->family, kFamily);
  EXPECT_EQ(record->group, 7U);
}

TEST(QuotaRecord, ARefusalIsThatOfOurProject) {
  const auto is = [](const Bytes& bytes) {
    const auto record = read_quota_record(bytes, false);
    return record && is_refusal(*record, kFamily, 42);
  };
  EXPECT_TRUE(is(warning(PRJQUOTA, 42, QUOTA_NL_BHARDWARN)));
  EXPECT_TRUE(is(warning(PRJQUOTA, 42, QUOTA_NL_IHARDWARN)));
  EXPECT_FALSE(is(warning(PRJQUOTA, 43, QUOTA_NL_BHARDWARN)));
  EXPECT_FALSE(is(warning(0 /* of a user */, 42, QUOTA_NL_BHARDWARN)));
  EXPECT_FALSE(is(warning(PRJQUOTA, 42, QUOTA_NL_BHARDBELOW)));
  EXPECT_FALSE(is(warning(PRJQUOTA, 42, QUOTA_NL_BSOFTWARN)));
  EXPECT_FALSE(is(message(kFamily, {})));
  EXPECT_FALSE(is(message(kFamily + 1, {})));
}

TEST(QuotaRecord, AnyCutIsHarmless) {
  const Bytes whole = warning(PRJQUOTA, 42, QUOTA_NL_BHARDWARN);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto record = read_quota_record({whole.data(), size}, size % 2 == 0);
    EXPECT_FALSE(record && is_refusal(*record, kFamily, 42)) << size;
  }
}

}  // namespace
}  // namespace aispm::sandbox
