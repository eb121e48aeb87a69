// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sdk/core/detect/rule.hpp"
#include "sdk/core/detect/secret_value.hpp"

// Checks of matched bytes that patterns cannot express. Pure; any bytes.
namespace aispm::detect {

// "entropy>=N" or a name of validator_words(); a trailing `?` makes it advisory.
std::optional<Validator> parse_validator(std::string_view text);

// "luhn, iban, ..., entropy>=N", for messages.
std::string validator_words();

bool passes(const Validator& validator, std::string_view matched);

enum class Validation : std::uint8_t { kNone, kPassed, kAdvisoryFailed, kFailed };
// kNone without validators; kFailed when a required one fails.
Validation validate(std::span<const Validator> validators, std::string_view matched);

// A shorter match may pass where the longest fails: a card number followed by its check code.
bool retries_shorter(std::span<const Validator> validators);

}  // namespace aispm::detect
