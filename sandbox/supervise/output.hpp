// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/supervise/copier.hpp"
#include "sandbox/supervise/delivery.hpp"
#include "sandbox/supervise/event_json.hpp"
#include "sandbox/supervise/lines.hpp"
#include "sandbox/supervise/terminal.hpp"

namespace aispm::sandbox {

// Everything the agent writes: copied through to the caller unchanged, counted against the limit,
// and its lines (not those of a terminal) reported as AgentLog events. Not thread-safe.
class Output {
 public:
  // Other ends of AgentStreams; none where the stream is a terminal.
  struct Sources {
    UniqueFd output;
    UniqueFd errors;
    UniqueFd terminal;
  };
  // What became of it all.
  struct Account {
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
    std::uint64_t lost_lines = 0;
    std::vector<std::string> failures;  // of the caller's streams, for stderr
  };

  // `limit_bytes` 0: none.
  Output(EventLoop& loop, Delivery& delivery, const RunIdentity& run, std::uint64_t limit_bytes,
         Terminal terminal);
  Result<> start(Sources sources);
  Terminal& terminal() { return terminal_; }
  // The agent wrote more than it may. The bytes up to the limit went through.
  bool is_over_limit() const { return is_over_limit_; }
  // After the agent's end: copies what is left, without waiting. True when nothing is left.
  bool drain();
  // Gives up what is left.
  Account finish();

 private:
  Result<> copy(std::size_t index, UniqueFd from, int to);
  std::size_t inspect(std::string_view bytes, LineCutter* lines);
  bool take_line(AgentLine line);

  EventLoop& loop_;
  Delivery& delivery_;
  const RunIdentity& run_;
  std::uint64_t limit_bytes_;
  Terminal terminal_;
  std::uint64_t bytes_ = 0;
  bool is_over_limit_ = false;
  LineBudget budget_;
  std::array<LineCutter, 2> cutters_;
  std::array<std::unique_ptr<Copier>, 2> copiers_;
};

}  // namespace aispm::sandbox
