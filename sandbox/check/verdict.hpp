// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Whether a Python agent is one that can be started, and where it is not, why and in which line.
// Pure; any bytes are safe.
namespace aispm::sandbox {

inline constexpr std::size_t kMaxAgentBytes = 1U << 20;
inline constexpr std::size_t kMaxCheckOutputBytes = 64U << 10;
inline constexpr std::chrono::milliseconds kImportLimit{15'000};

enum class CheckStage : std::uint8_t { kSize, kEncoding, kSyntax, kMain, kImport };
const char* to_text(CheckStage stage);

struct CheckOptions {
  bool needs_main = false;  // a top-level `async def main`: agents of the SDK
  std::chrono::milliseconds limit = kImportLimit;
};

struct Verdict {
  bool is_valid = true;
  std::vector<CheckStage> passed;
  // Of the stage that did not pass.
  CheckStage failed = CheckStage::kSize;
  std::string reason;
  std::size_t line = 0;    // from 1; 0: none
  std::size_t column = 0;  // from 1; 0: none
};

// Size and encoding, without running anything.
Verdict check_source(std::string_view text);
// An agent that is larger than it may be.
Verdict too_large();

// What the steps inside wrote, and how they ended (launch()'s exit code). The first line was
// written before any line of the agent ran; what follows is the agent's word as much as ours: an
// agent that lies only fails later. kUnavailable when no interpreter came to speak.
Result<Verdict> judge(Verdict source, const std::string& output, int exit_code,
                      const CheckOptions& options);

// The steps inside: Python that takes the agent's path and its arguments.
std::string check_steps(bool needs_main);

std::string to_json(const Verdict& verdict, const std::string& file);
// "agent.py:3:7: syntax: ..." or "agent.py: valid (size, encoding, ...)".
std::string to_text(const Verdict& verdict, const std::string& file);

}  // namespace aispm::sandbox
