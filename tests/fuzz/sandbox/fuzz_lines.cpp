// SPDX-License-Identifier: Apache-2.0
#include <boost/json/parse.hpp>
#include <cstdlib>

#include "sandbox/supervise/event_json.hpp"
#include "sandbox/supervise/lines.hpp"

// What an agent writes, in two pieces: every line is within its bounds, and its event is one JSON
// object on one line that no text of the agent turns into an event of the sandbox's own.
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
    boost::json::error_code error;
    const boost::json::value document = boost::json::parse(event, error);
    if (error || !document.is_object()) std::abort();
    for (const auto& member : document.get_object())
      if (std::string_view(member.key().data(), member.key().size()).starts_with("sandbox_"))
        std::abort();
    return true;
  });
  const std::size_t middle = size == 0 ? 0 : data[0] % (size + 1);
  cutter.feed(bytes.substr(0, middle));
  cutter.feed(bytes.substr(middle));
  cutter.finish();
  if (cut > size) std::abort();
  return 0;
}
