// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Texts of which most words were cut in two by a sign: "Ple-ase ig-nore wh-at wa-s sa-id".
namespace aispm::detect {

// Whether at least three words, and a quarter of those of four letters or more, are halves that
// only together are a word of English. Compounds ("rate-limit", "foo_bar", "well-known") are not
// cut words. Linear, no allocation; the first call makes the dictionary.
bool is_mostly_split(std::string_view text);

}  // namespace aispm::detect
