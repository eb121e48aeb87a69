// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/supervise/event_json.hpp"
#include "sandbox/supervise/lines.hpp"

// What an agent writes, in two pieces: every line is within its bounds, and its event is one line of
// text that holds no other event.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sandbox;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const RunIdentity run{"a", "s", "", 1};
  LineBudget budget(LineBudget::Clock::now());
  std::uint64_t cut = 0;
  LineCutter cutter("stdout", budget, [&](AgentLine line) {
    cut += line.cut_bytes;
    const std::string event = log_event(run, line);
    if (event.find('\n') != std::string::npos) std::abort();
    if (event.find("\"sandbox_") != std::string::npos) {
      // Only as the name of one of the agent's own fields.
      bool is_field = false;
      for (const auto& [name, value] : line.fields) is_field |= name.starts_with("sandbox_");
      if (!is_field) std::abort();
    }
    return true;
  });
  const std::size_t middle = size == 0 ? 0 : data[0] % (size + 1);
  cutter.feed(bytes.substr(0, middle));
  cutter.feed(bytes.substr(middle));
  cutter.finish();
  if (cut > size) std::abort();
  return 0;
}
