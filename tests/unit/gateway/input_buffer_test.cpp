// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/input_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace aispm::gateway {
namespace {

// Not inline, both: GCC 12 warns of sizes that cannot be when it sees all of a buffer's life.
[[gnu::noinline]] void add(InputBuffer& input, std::string_view bytes) {
  const auto room = input.prepare(bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  input.commit(bytes.size());
}

[[gnu::noinline]] std::size_t room_in(InputBuffer& input) { return input.prepare(1).size(); }

TEST(InputBuffer, KeepsWhatItHoldsWhileItGrows) {
  InputBuffer input;
  const std::string first(InputBuffer::kInitialBytes - 1, 'a');
  const std::string second(3 * InputBuffer::kInitialBytes, 'b');
  add(input, first);
  input.consume(10);
  add(input, second);
  EXPECT_EQ(input.view(), first.substr(10) + second);
}

TEST(InputBuffer, GivesBackMoreThanItIsToKeepOnceItIsEmpty) {
  InputBuffer input;
  add(input, std::string(4 * InputBuffer::kInitialBytes, 'x'));
  input.relax(InputBuffer::kInitialBytes);
  EXPECT_EQ(input.size(), 4 * InputBuffer::kInitialBytes);
  input.consume(input.size());
  input.relax();  // not more than is kept between messages
  EXPECT_GE(room_in(input), 4 * InputBuffer::kInitialBytes);
  input.relax(InputBuffer::kInitialBytes);
  EXPECT_EQ(room_in(input), InputBuffer::kInitialBytes);
}

}  // namespace
}  // namespace aispm::gateway
