// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gateway/net/io.hpp"
#include "gateway/proxy/voter.hpp"

namespace aispm::gateway {

class Worker;

// Asks the guard model about one text, within `deadline`. Errors say in words why there is no
// answer; each kind is counted. On the worker's thread; `worker` and `voter` outlive it.
net::Task<GuardAnswer> ask_guard(Worker& worker, Voter& voter, std::string text,
                                 std::chrono::milliseconds deadline);

// What one guard model said, or why it said nothing.
struct GuardSaid {
  const Voter* voter = nullptr;
  Result<GuardAnswer> answer;
};

// What a text is: of replies only those judge that are told to.
enum class GuardAbout : std::uint8_t { kText, kReply };

// Asks the guard models at the same time, each within its own deadline; in the order of the
// configuration. Those for which the text is too short are left out. On the worker's thread;
// `worker` outlives it.
net::Task<std::vector<GuardSaid>> ask_guards(Worker& worker, std::string text,
                                             GuardAbout about = GuardAbout::kText);

}  // namespace aispm::gateway
