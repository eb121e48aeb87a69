// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxShownBytes = 80;

std::string two_digits(double value) {
  char text[16];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

}  // namespace

EvidenceItem make_evidence(std::string type, std::string value, const Signature& signature) {
  EvidenceItem made;
  made.item.type = std::move(type);
  made.item.value = std::move(value);
  made.item.rule = signature.id;
  made.item.weight = signature.confidence;
  made.weak = signature.weak;
  made.provider = signature.provider;
  made.name = signature.name;
  made.category = signature.category;
  return made;
}

Confidence weigh(std::span<const EvidenceItem> items) {
  std::map<std::string, const EvidenceItem*> best;  // by type
  bool all_weak = true;
  for (const EvidenceItem& one : items) {
    const EvidenceItem*& place = best[one.item.type];
    if (place == nullptr || one.item.weight > place->item.weight) place = &one;
    all_weak = all_weak && one.weak;
  }
  Confidence result;
  if (best.empty()) return result;
  double doubt = 1;
  double strongest = 0;
  std::vector<const EvidenceItem*> shown;
  for (const auto& [type, one] : best) {
    const double weight = std::clamp(one->item.weight, 0.0, 1.0);
    doubt *= 1 - weight;
    strongest = std::max(strongest, weight);
    shown.push_back(one);
  }
  const bool is_lone = all_weak && best.size() == 1;
  result.value = 1 - doubt;
  if (strongest < 1) result.value = std::min(result.value, kHighestConfidence);
  if (is_lone) result.value = std::min(result.value, kWeakConfidence);
  result.value = std::round(result.value * 1000) / 1000;
  result.is_enough = !is_lone && result.value >= kEnoughConfidence;
  std::stable_sort(shown.begin(), shown.end(),
                   [](const auto* a, const auto* b) { return a->item.weight > b->item.weight; });
  for (const EvidenceItem* one : shown) {
    if (!result.explanation.empty()) result.explanation += ", ";
    result.explanation += one->item.type + " " + one->item.value.substr(0, kMaxShownBytes) + " " +
                          two_digits(one->item.weight);
  }
  if (shown.size() > 1) result.explanation += ": together " + two_digits(result.value);
  if (is_lone) result.explanation += ": says too little alone";
  return result;
}

}  // namespace aispm::sensor
