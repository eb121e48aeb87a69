// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sdk/core/detect/inspect.hpp"
#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {

// What inspect() says of a text, and what fuse() makes of it.
class InspectTest : public testing::Test {
 protected:
  Inspection inspect_text(const std::shared_ptr<const Engine>& engine, std::string_view text,
                          Surface surface = Surface::kPrompt) {
    auto scratch = engine->make_scratch();
    Inspection inspection;
    const auto done = inspect(*engine, text, surface, options_, *scratch, inspection);
    EXPECT_TRUE(done) << done.error().message;
    return inspection;
  }
  std::vector<model::Detection> detections(const std::shared_ptr<const Engine>& engine,
                                           std::string_view text,
                                           Surface surface = Surface::kPrompt) {
    const Inspection inspection = inspect_text(engine, text, surface);
    fuse(*engine, surface, inspection, fused_);
    std::vector<model::Detection> found;
    for (const Finding& finding : fused_.findings)
      found.push_back(describe(*engine, text, surface, inspection, finding));
    return found;
  }
  std::vector<std::string> ids(const std::shared_ptr<const Engine>& engine, std::string_view text,
                               Surface surface = Surface::kPrompt) {
    std::vector<std::string> found;
    for (const auto& one : detections(engine, text, surface)) found.push_back(one.rule_id);
    return found;
  }
  InspectOptions options_;
  Fused fused_;
};

}  // namespace aispm::detect
