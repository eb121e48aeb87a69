// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/classify/signatures.hpp"

// How pieces of evidence become one confidence. Pure.
namespace aispm::sensor {

// One thing seen that speaks for something being AI.
struct EvidenceItem {
  model::Evidence item;  // type: "process", "command_line", "package", "import", "library", "port",
                         // "http_answer", "environment", "image", "domain", "llm_call", "mcp_call",
                         // "mcp_config", "config_file", "device", "model_file"
  bool weak = false;     // says nothing alone: a second type is needed
  std::string provider;
  std::string name;      // of the product it speaks for
  std::string category;  // of its signature
  bool operator==(const EvidenceItem&) const = default;
};

EvidenceItem make_evidence(std::string type, std::string value, const Signature& signature);

struct Confidence {
  double value = 0;  // 0..1
  bool is_enough = false;
  std::string explanation;  // "process ollama 0.90, port 11434 0.70: together 0.97"
};

// An asset is reported from here on.
inline constexpr double kEnoughConfidence = 0.5;
// Short of a call seen in plaintext, nothing is certain.
inline constexpr double kHighestConfidence = 0.99;
// What weak evidence of one type is worth.
inline constexpr double kWeakConfidence = 0.3;

// Evidence of one type does not add up (a program with two names of the same product is not seen
// twice): the best of each type counts. Types are taken as independent: 1 - product(1 - weight).
// One type that is weak throughout is worth kWeakConfidence at most and never enough.
Confidence weigh(std::span<const EvidenceItem> items);

}  // namespace aispm::sensor
