// SPDX-License-Identifier: Apache-2.0
// A block outlives the daemon that made it.
#include "tests/kernel/enforce/fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

TEST_F(EnforceTest, ABlockSurvivesTheDaemonAndTheNextOneCanUndoIt) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  const Order order = about(child, OrderAction::kBlock);
  put(order);
  ASSERT_EQ(child.ask('c'), EPERM);
  crash();
  EXPECT_EQ(child.ask('c'), EPERM) << "nobody is there, the block is";
  ASSERT_TRUE(start()) << why_;
  EXPECT_GT(enforcer_->found_links(), 0U);
  EXPECT_EQ(child.ask('c'), EPERM) << "taken over, not yet told any order";
  const std::size_t links = enforcer_->found_links();
  apply();  // the same orders again, as from the disk
  EXPECT_EQ(child.ask('c'), EPERM);
  EXPECT_EQ(Pins::remove_all(pins_).error().code, Errc::kUnavailable) << "held by a daemon";
  EXPECT_EQ(links, enforcer_->found_links());
  undo(order);
  EXPECT_EQ(child.ask('c'), 0);
}

TEST_F(EnforceTest, WhatHappenedWithoutADaemonIsToldToTheNext) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  put(about(child, OrderAction::kBlock));
  crash();
  ASSERT_EQ(child.ask('c'), EPERM);
  ASSERT_TRUE(start()) << why_;
  EXPECT_TRUE(until([&](const aispm_enforced_event& event) {
    return event.header.tgid == static_cast<std::uint32_t>(child.pid());
  }));
}

TEST_F(EnforceTest, AnOrderThatWentWhileNoDaemonRanIsLiftedByTheNext) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  put(about(child, OrderAction::kBlock));
  crash();
  ASSERT_TRUE(start()) << why_;
  orders_.clear();
  apply();
  EXPECT_EQ(child.ask('c'), 0);
}

TEST_F(EnforceTest, RemovingThePinsEndsAllBlocks) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child([&](char) { return try_connect(server.port); });
  put(about(child, OrderAction::kBlock));
  crash();
  ASSERT_EQ(child.ask('c'), EPERM);
  const auto removed = Pins::remove_all(pins_);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_GT(*removed, 0U);
  EXPECT_EQ(child.ask('c'), 0);
}

TEST_F(EnforceTest, TwoDaemonsCannotHoldTheSamePins) {
  if (!enforcer_) GTEST_SKIP() << why_;
  load();
  EXPECT_EQ(Pins::open(pins_).error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
