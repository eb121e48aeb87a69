// SPDX-License-Identifier: Apache-2.0
// Any body to the scan API, any query to its history, any guardrail: an error that names what is
// wrong, or something within the limits that reads back as it was. The first byte chooses.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/observe/guardrails.hpp"
#include "gateway/proxy/observe/scan_api.hpp"
#include "sdk/core/detect/pack.hpp"

namespace {

using namespace aispm;
using namespace aispm::gateway;

void require(bool claim) {
  if (!claim) std::abort();
}

void try_scan(std::string_view body, bool is_output) {
  const auto question = read_scan(body, is_output);
  if (!question) return require(!question.error().message.empty());
  require(question->item.text.size() <= body.size() * 3);
  require((question->item.surface == detect::Surface::kReply) == is_output);
}

void try_filter(std::string_view query, bool is_operator) {
  const auto filter = read_scan_filter(query, is_operator);
  if (!filter) return;
  require(filter->limit <= ScanFilter::kMaxLimit);
  require(is_operator || (!filter->tenant && !filter->agent));
  ScanHistory history(2);
  history.add({});
  require(boost::json::parse(history.list_scans(*filter)).is_object());
}

void try_guardrail(std::string_view body) {
  auto guardrail = read_guardrail(body);
  if (!guardrail) return;
  guardrail->id = "0123456789ab";
  const auto again = read_guardrail_list(guardrail_list_json({*guardrail}));
  require(again && again->size() == 1);
  require(guardrail_json(again->front()) == guardrail_json(*guardrail));
  const GuardrailSet set({*guardrail});
  if (set.pack().empty()) return;
  detect::RuleSet rules;
  (void)detect::parse_pack(set.pack(), "guardrails", rules);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      try_scan(body, (data[0] & 0x80U) != 0);
      break;
    case 1:
      try_filter(body, (data[0] & 0x80U) != 0);
      break;
    default:
      try_guardrail(body);
      break;
  }
  return 0;
}
