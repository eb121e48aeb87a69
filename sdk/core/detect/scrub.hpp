// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sdk/core/detect/engine.hpp"
#include "sdk/core/model/event.hpp"

// The last look at an event before it is kept: what is told of an exchange, a process or a name was
// chosen by somebody else, and may hold a secret where nobody expects one (a model's name, a line
// that an agent prints, a name that is looked up).
namespace aispm::detect {

// What a text becomes that could not be scanned.
inline constexpr std::string_view kUnscanned = "[not scanned]";

struct ScrubOptions {
  // The process, too. Off where its arguments were looked at before.
  bool process = true;
};

struct Scrubbed {
  std::size_t secrets = 0;    // that were cut out
  std::size_t unscanned = 0;  // texts that were replaced as a whole: too large, or made to be slow
};

// Replaces every match of a rule of category secret in the texts of `event` by
// "[REDACTED:<rule id>]" and adds one detection per rule, with surface "event" and without
// evidence. Names of hosts are also read in upper case, since resolvers fold them. Ids, times,
// hashes and what other detections say stay as they are. One pass where there is nothing; `matches`
// and `scratch` as for Engine::scan.
Scrubbed scrub_secrets(const Engine& engine, Scratch& scratch, std::vector<Match>& matches,
                       model::Event& event, ScrubOptions options = {});

// Where there is no engine at hand: each of these texts becomes kUnscanned. Gives how many.
std::size_t withhold_texts(model::Event& event, ScrubOptions options = {});

}  // namespace aispm::detect
