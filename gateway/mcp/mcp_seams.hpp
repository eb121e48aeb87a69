// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sdk/core/codec/json_tree.hpp"

// Where the texts of one result meet: a model reads the blocks of a result, and the members of a
// list, as one text, so what is cut in two between them is whole to it. Pure.
namespace aispm::gateway {

// A text made of pieces, and the places where one ends and the next begins.
struct SeamText {
  struct Seam {
    std::size_t left_end = 0;
    std::size_t right_begin = 0;
  };
  std::string text;
  std::vector<Seam> seams;

  // Whether something of `length` bytes from `offset` on has letters of both sides of a seam.
  bool crosses(std::size_t offset, std::size_t length) const;
};

struct ResultSeams {
  // All texts of each list, a line each; of long ones their beginning and their end.
  SeamText lines;
  // The end of each text and the beginning of the next without anything between them, a pair a
  // line. A word cut in two is whole here.
  SeamText pairs;
};
// Of every list of at least two texts: strings, blocks of content, messages, resources. Both texts
// together are at most about three times the texts themselves; empty where each stands alone.
ResultSeams read_seams(const codec::JsonTree& tree);

}  // namespace aispm::gateway
