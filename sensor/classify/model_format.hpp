// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sensor/classify/signatures.hpp"

// Is a file a model, by its first bytes. Pure; takes any bytes.
namespace aispm::sensor {

// How much of a file's head is looked at.
inline constexpr std::size_t kModelHeadBytes = 4096;

struct ModelFormat {
  const ModelSignature* format = nullptr;  // nullptr: no model
  double confidence = 0;
  std::map<std::string, std::string> attributes;  // "tensors", "version": what the head says
};

// `size` is of the whole file: lengths in the head must fit it. Magic bytes of 4 bytes and more
// count with any name; shorter ones, "heuristic" and zip need the right name, too.
ModelFormat find_model_format(std::string_view name, std::string_view head, std::uint64_t size,
                              const Signatures& signatures);

// True when the name alone is a reason to look inside.
bool has_model_name(std::string_view name, const Signatures& signatures);

}  // namespace aispm::sensor
