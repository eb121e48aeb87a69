// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/classify/signatures.hpp"

// What a server's answer says about which server it is. Pure.
namespace aispm::sensor {

// `body="a \"quoted\" text" && header="X"`: every part must be contained, letters in any case.
struct AnswerCondition {
  struct Part {
    bool in_header = false;  // else in the body
    std::string text;        // lower case
  };
  std::vector<Part> parts;
};
inline constexpr std::size_t kMaxAnswerParts = 16;
inline constexpr std::size_t kMaxAnswerPartBytes = 1024;

// kInvalid says what is wrong with it.
Result<AnswerCondition> parse_answer_condition(std::string_view text);

// True when one of the fingerprint's conditions holds for this head and body.
bool fits(const HttpFingerprint& fingerprint, std::string_view head, std::string_view body);

}  // namespace aispm::sensor
