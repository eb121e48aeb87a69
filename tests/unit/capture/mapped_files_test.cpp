// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sensor/capture/proc_text.hpp"

namespace aispm::sensor {
namespace {

TEST(MappedFiles, AreThoseMappedAsCode) {
  const auto files = find_mapped_files(
      "5566082da000-5566082dd000 r--p 00000000 fe:00 247260                     /usr/bin/grep\n"
      "5566082dd000-556608301000 r-xp 00004000 fe:01 247260                     /usr/bin/grep\n"
      "7f7b06100000-7f7b06101000 rwxp 00000000 00:00 0 \n"
      "7ffd0a1f9000-7ffd0a1fb000 r-xp 00000000 00:00 0                          [vdso]\n"
      "7f7b06179000-7f7b062cf000 r-xp 00026000 00:2a 12 /opt/a b/libssl.so.3 (deleted)\n");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0],
            (MappedFile{"5566082dd000-556608301000", 0xfeULL << 32 | 1, 247260, "/usr/bin/grep"}));
  EXPECT_EQ(files[1], (MappedFile{"7f7b06179000-7f7b062cf000", 0x2a, 12, "/opt/a b/libssl.so.3"}));
}

TEST(MappedFiles, IgnoreLinesThatAreNone) {
  for (const char* text : {"", "\n", "x", "1-2 r-xp", "1-2 r-xp 0 zz:00 5 /a",
                           "1-2 r-xp 0 00:00 x /a", "1-2 r-xp 0 fe 5 /a"})
    EXPECT_TRUE(find_mapped_files(text).empty()) << text;
}

TEST(TlsLibraryNames, AreThoseOfLibrariesKnownBySymbols) {
  for (const char* path : {"/usr/lib/libssl.so.3", "/opt/libssl-1a2b.so.1.1", "libgnutls.so.30",
                           "libnspr4.so", "libssl3.so"})
    EXPECT_TRUE(is_tls_library(path)) << path;
  for (const char* path : {"/usr/lib/libcrypto.so.3", "/usr/bin/libssl", "/libssl/x.so", ""})
    EXPECT_FALSE(is_tls_library(path)) << path;
}

}  // namespace
}  // namespace aispm::sensor
