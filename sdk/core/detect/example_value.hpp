// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Values in the form of a secret that are none: printed in manuals and standards, or readable for
// everybody. Pure; any bytes; linear.
namespace aispm::detect {

// Holds a key that its vendor or a standard publishes: everybody has it.
bool is_published(std::string_view text);

// The first part of a JSON web token and nothing after it: it names the algorithm.
bool is_token_header(std::string_view text);

// Base64 of nothing but words ("the sample nonce", a host name).
bool is_encoded_words(std::string_view text);

// A third of it are pieces of the alphabet: "klmnopqrstuvwx-1234fghijklmnop". Digits in order do
// not count: manuals and tests of scanners write keys with them where others write real ones.
bool is_alphabet(std::string_view text);

// The same group of digits three times in a row: "1234-1234-1234".
bool repeats_group(std::string_view text);

}  // namespace aispm::detect
