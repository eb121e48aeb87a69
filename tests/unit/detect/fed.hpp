// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/detect/stream.hpp"

namespace aispm::detect {

// Feeds `pieces` and checks after each that what was released is the beginning of `expected`: then
// nothing of a match ever leaves.
inline void expect_stream(const std::shared_ptr<const Engine>& engine,
                          const std::shared_ptr<const Outcomes>& outcomes,
                          const std::vector<std::string_view>& pieces,
                          const std::string& expected) {
  StreamScanner scanner(engine, Surface::kReply, outcomes);
  std::string released;
  for (const std::string_view piece : pieces) {
    const auto fed = scanner.feed(piece, released);
    ASSERT_TRUE(fed) << fed.error().message;
    ASSERT_EQ(released, expected.substr(0, released.size()));
  }
  const auto finished = scanner.finish(released);
  ASSERT_TRUE(finished) << finished.error().message;
  ASSERT_EQ(released, expected);
  ASSERT_EQ(scanner.held_bytes(), 0U);
}

inline std::vector<std::string_view> cut_every(std::string_view text, std::size_t size) {
  std::vector<std::string_view> pieces;
  for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

}  // namespace aispm::detect
