// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Is this a secret, or something that only stands where secrets do? Checks of values that rules
// found beside a telling name. Pure; any bytes.
namespace aispm::detect {

// Shannon entropy in bits per byte.
double entropy(std::string_view text);

// Not what says of itself that it is none (`your-key`, `****`), nor one sign repeated to
// fill a form, nor a key that its vendor publishes as an example. Pieces of the alphabet pass:
// beside a name that says secret they are as often a test's key as a manual's (`is_alphabet`).
bool is_no_dummy(std::string_view text);
// Not where a secret is kept: `process.env.KEY`, `$KEY`.
bool is_no_reference(std::string_view text);
// Both, and not the words of examples and templates either.
bool is_no_placeholder(std::string_view text);

// Letters and digits.
bool is_mixed(std::string_view text);
// Random rather than a name, path, number, address or version.
bool is_random(std::string_view text);
// Random, or at least twenty characters of one kind without a break, as examples of keys are:
// digits, hex, capitals or small letters. Only for names that say clearly what the value is.
bool is_solid(std::string_view text);

// Not what manuals write where a password stands.
bool is_no_password_word(std::string_view text);
// A password of at least two kinds of characters.
bool is_password(std::string_view text);
// At least eight characters of three kinds. Where only `pw` or `pass` stands before it.
bool is_strong_password(std::string_view text);
// A password that may be a mere word. Only where a value can be nothing else.
bool is_phrase(std::string_view text);

}  // namespace aispm::detect
