// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "sdk/core/model/event.hpp"

// What decide wants in the kernel and enforce puts there: values, no descriptors. The kernel's own
// words for them are in bpf/include/enforce_layout.h.
namespace aispm::sensor {

// A set of rules, each a bit.
struct RuleMask {
  aispm_rule_mask raw{};

  void set(std::size_t rule) { raw.words[rule / 64] |= 1ULL << (rule % 64); }
  bool has(std::size_t rule) const { return (raw.words[rule / 64] >> (rule % 64) & 1) != 0; }
  bool any() const { return (raw.words[0] | raw.words[1] | raw.words[2] | raw.words[3]) != 0; }
  RuleMask& operator|=(const RuleMask& other) {
    for (int i = 0; i < AISPM_RULE_WORDS; ++i) raw.words[i] |= other.raw.words[i];
    return *this;
  }
  RuleMask& operator&=(const RuleMask& other) {
    for (int i = 0; i < AISPM_RULE_WORDS; ++i) raw.words[i] &= other.raw.words[i];
    return *this;
  }
  bool operator==(const RuleMask& other) const {
    for (int i = 0; i < AISPM_RULE_WORDS; ++i)
      if (raw.words[i] != other.raw.words[i]) return false;
    return true;
  }
};

struct Subject {
  RuleMask rules;
  bool is_protected = false;
  bool operator==(const Subject&) const = default;
};

// An address with the bits of it that count. IPv4 in the first four bytes.
struct Prefix {
  bool is_v6 = false;
  std::uint8_t bits = 0;
  std::array<std::uint8_t, 16> address{};
  auto operator<=>(const Prefix&) const = default;
};

struct ProtectedEndpoint {
  bool is_v6 = false;
  std::uint16_t port = 0;
  std::array<std::uint8_t, 16> address{};
  auto operator<=>(const ProtectedEndpoint&) const = default;
};

// Which order holds a bit. Orders may need several, numbered by `part`.
struct RuleSlot {
  std::string order_id;  // empty = free
  std::uint32_t part = 0;
  auto operator<=>(const RuleSlot&) const = default;
};

struct EnforceTables {
  aispm_rule_sets sets{};  // self and the LSM flag are for enforce to fill
  std::array<RuleSlot, AISPM_RULES> slots{};
  std::map<model::ProcessId, Subject> processes;
  std::map<std::uint64_t, Subject> cgroups;
  std::map<std::uint32_t, Subject> uids;
  std::map<std::string, Subject> executables;  // by path
  std::map<std::string, RuleMask> approved;    // by path of a file or folder
  std::map<std::string, RuleMask> folders;     // by path
  std::map<std::string, RuleMask> programs;    // by name of the file
  std::map<Prefix, RuleMask> addresses;        // cumulative
  std::map<std::string, RuleMask> names;       // by suffix without leading dot; cumulative
  std::map<std::uint16_t, RuleMask> ports;
  std::set<ProtectedEndpoint> protected_endpoints;
  std::set<model::ProcessId> to_kill;  // running now
  std::set<model::ProcessId> to_cut;   // running now: their open connections end

  bool has_rules() const {
    for (const RuleSlot& slot : slots)
      if (!slot.order_id.empty()) return true;
    return false;
  }
};

}  // namespace aispm::sensor
