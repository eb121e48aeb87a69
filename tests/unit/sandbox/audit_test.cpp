// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/supervise/audit_record.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::uint32_t kUid = 0x61000007;
const std::string kDomain =
    "audit(1732186800.123:45): domain=195ba459b status=allocated mode=enforcing pid=300 "
    "uid=1627389959 exe=\"/usr/bin/aispm-run\" comm=\"aispm-run\"";

std::string access_of(const std::string& rest) {
  return "audit(1732186800.123:45): domain=195ba459b " + rest;
}

TEST(AuditField, ReadsPlainQuotedAndHexedValues) {
  const std::string record = access_of("blockers=fs.read_file path=2F612062 dev=\"vda\" ino=7\n");
  EXPECT_EQ(audit_field(record, "domain"), "195ba459b");
  EXPECT_EQ(audit_field(record, "path"), "/a b");
  EXPECT_EQ(audit_field(record, "dev"), "vda");
  EXPECT_EQ(audit_field(record, "ino"), "7");
  EXPECT_EQ(audit_field(record, "main"), "");  // the end of another name
  EXPECT_EQ(audit_field("path=\"unended", "path"), "unended");
  EXPECT_EQ(audit_field("path=", "path"), "");
  EXPECT_EQ(audit_field("path=(null)", "path"), "(null)");
}

TEST(AuditRecords, HoldsTheFirstRefusalUntilItsDomainIsKnown) {
  AuditRecords records(kUid);
  const std::string refused =
      access_of("blockers=fs.ioctl_dev path=\"/dev/random\" dev=\"devtmpfs\"");
  EXPECT_TRUE(records.read(kAuditLandlockAccess, refused).empty());
  const Denial expected{DenialKind::kFile, "/dev/random (fs.ioctl_dev)", "", EACCES};
  EXPECT_THAT(records.read(kAuditLandlockDomain, kDomain), testing::ElementsAre(expected));
  EXPECT_THAT(records.read(kAuditLandlockAccess, refused), testing::ElementsAre(expected));
}

TEST(AuditRecords, TakesNothingOfAnotherSandbox) {
  AuditRecords records(kUid + 1);
  EXPECT_TRUE(
      records.read(kAuditLandlockAccess, access_of("blockers=fs.read_file path=\"/x\"")).empty());
  EXPECT_TRUE(records.read(kAuditLandlockDomain, kDomain).empty());
  EXPECT_TRUE(
      records.read(kAuditLandlockAccess, access_of("blockers=fs.read_file path=\"/x\"")).empty());
}

TEST(AuditRecords, NamesTheErrorThatLandlockGave) {
  AuditRecords records(kUid);
  EXPECT_TRUE(records.read(kAuditLandlockDomain, kDomain).empty());
  const auto only = [&](const std::string& rest) {
    const auto found = records.read(kAuditLandlockAccess, access_of(rest));
    return found.size() == 1 ? found[0] : Denial{};
  };
  EXPECT_EQ(only("blockers=fs.refer path=\"/a\""),
            (Denial{DenialKind::kFile, "/a (fs.refer)", "", EXDEV}));
  EXPECT_EQ(only("blockers=scope.signal opid=1 ocomm=\"aispm-init\""),
            (Denial{DenialKind::kSyscall, "aispm-init (scope.signal)", "", EPERM}));
  EXPECT_EQ(only("blockers=ptrace opid=1 ocomm=\"systemd\"").error, EPERM);
  EXPECT_EQ(only("blockers=net.connect_tcp daddr=127.0.0.1 dest=22").kind, DenialKind::kConnect);
}

TEST(AuditRecords, ReadsAKillBySeccompOfItsOwnUser) {
  AuditRecords records(kUid);
  const std::string killed =
      "audit(1732186800.123:46): auid=4294967295 uid=1627389959 gid=1627389959 ses=4294967295 "
      "pid=9 comm=\"x\" exe=\"/x\" sig=31 arch=40000003 syscall=26 compat=1 ip=0x1 code=0x80000000";
  EXPECT_THAT(records.read(kAuditSeccomp, killed),
              testing::ElementsAre(Denial{DenialKind::kSyscall, "killed: i386:26", "", 0}));
  EXPECT_TRUE(AuditRecords(kUid + 1).read(kAuditSeccomp, killed).empty());
}

TEST(AuditRecords, BoundsWhatWaits) {
  AuditRecords records(kUid);
  for (std::size_t i = 0; i < 4 * AuditRecords::kMaxWaiting; ++i)
    EXPECT_TRUE(records
                    .read(kAuditLandlockAccess,
                          "domain=" + std::to_string(i) + " blockers=fs.read_file path=\"/x\"")
                    .empty());
  // The newest is still held.
  EXPECT_EQ(records
                .read(kAuditLandlockDomain,
                      "domain=" + std::to_string(4 * AuditRecords::kMaxWaiting - 1) +
                          " status=allocated uid=1627389959")
                .size(),
            1U);
}

TEST(AuditRecords, IgnoresWhatItDoesNotKnow) {
  AuditRecords records(kUid);
  EXPECT_TRUE(records.read(1300, kDomain).empty());
  EXPECT_TRUE(records.read(kAuditLandlockAccess, "").empty());
  EXPECT_TRUE(records.read(kAuditLandlockDomain, "domain= status=allocated uid=x").empty());
  EXPECT_TRUE(records.read(kAuditSeccomp, "uid=1627389959 arch=zz syscall=1").empty());
}

}  // namespace
}  // namespace aispm::sandbox
