// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aispm/v1/simulate.pb.h"
#include "sdk/cli/commands.hpp"

// `aispm policy simulate|explain|learn`: policies against what was recorded, in a file or by the
// collector.
namespace aispm::cli {

struct SimulateWords {
  std::string candidate;  // folder, or ID[@VERSION] of a stored one
  std::string texts;      // file
  std::string events;     // file
  std::string last = "24h";
  std::string agent = "*";
  std::string registry;  // folder, with `events`
};
Result<> simulate_file(const SimulateWords& words, const Output& output);
Result<> simulate_recorded(Client& client, const SimulateWords& words, const Output& output);

struct ExplainWords {
  std::string id;
  std::string events;
  std::string bundle;
  std::string registry;  // folder
};
Result<> explain_in_file(const ExplainWords& words, const Output& output);
Result<> explain_recorded(Client& client, const ExplainWords& words, const Output& output);

struct LearnWords {
  std::string agent;
  std::string events;
  std::string last = "7d";
  std::string out;
};
Result<> learn_from_file(const LearnWords& words, const Output& output);
Result<> learn_recorded(Client& client, const LearnWords& words, const Output& output);

// "36h", "7d" as hours, at most 720; kInvalid.
Result<std::uint32_t> parse_hours(const std::string& text);

// Tables; sets the exit status: 0 nothing flips, 3 stricter, 4 also looser.
Result<> print_simulation(const v1::Simulation& report, const Output& output);
Result<> print_explanation(const v1::Explanation& explanation, const Output& output);
// To the stream, or as files of the new folder `out`.
Result<> print_proposal(const v1::PolicyProposal& proposal, const std::string& out,
                        const Output& output);

}  // namespace aispm::cli
