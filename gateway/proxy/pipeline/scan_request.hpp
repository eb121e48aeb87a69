// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "gateway/proxy/decide/policy_shelf.hpp"
#include "gateway/proxy/pipeline/findings.hpp"
#include "gateway/proxy/pipeline/first_look.hpp"
#include "gateway/proxy/pipeline/leak_screen.hpp"
#include "gateway/proxy/pipeline/output_rules.hpp"
#include "gateway/proxy/pipeline/surfaces.hpp"
#include "gateway/proxy/placeholder_shelf.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway {

// Who asks what of whom, with the rules in force: what both scans need.
struct ScanContext {
  // Layers that the tenant does not want are not run.
  void take_layers(const TenantConfig& own) {
    for (std::size_t i = 0; i < detect::kLayerCount; ++i)
      inspect.layers[i] = inspect.layers[i] && own.layers[i];
  }

  std::shared_ptr<const RuleBook> book;
  std::shared_ptr<const OutcomeTables> tables;
  std::shared_ptr<Workbench> bench;
  PolicySet policies = {};  // what decides about this exchange; `book` has its detect.yaml
  policy::Context caller;   // views must outlive the scan
  // Layers and budgets of one text; `total` is that of all texts of a message together.
  detect::InspectOptions inspect = {};
  detect::Redactor* redactor = nullptr;        // null: labels
  detect::Redactor* reply_redactor = nullptr;  // of replies, likewise
  // Tells equal secrets apart in the record without their values; null: nothing is told.
  const Secret* hash_key = nullptr;
  // What a policy bundle says of data in the reply; its words are in `tables` already. Null:
  // nothing.
  std::shared_ptr<const OutputRules> output = nullptr;
  // Turns placeholders back; null: policy keeps no vault.
  std::shared_ptr<SessionPlaceholders> vault = nullptr;
  // What replies are held against; its parts are null where nothing of it is looked for.
  LeakSource leaks = {};
  // Slower judges will be asked: what tier 1 made of each text is kept for them.
  bool keeps_looks = false;
};

// What the rules, and a policy bundle, say of one detection. Views into the context.
policy::Verdict verdict_on(const ScanContext& context, policy::Direction direction,
                           const model::Detection& detection);
// Judges the detections added from `first` on and strengthens the verdict.
void judge(Findings& findings, std::size_t first, const ScanContext& context,
           policy::Direction direction);

struct RequestScan {
  static constexpr std::size_t kMaxHiddenBytes = 256U << 10;  // kept, of all texts together

  Findings findings;
  std::vector<codec::JsonPatch> patches;  // redactions, to be applied to the body
  std::vector<FirstLook> looks;  // one per part of the request, where the context keeps them
};

// Scans every text of the request: all roles, tool results and arguments, tool descriptions, every
// other string. An error means that something could not be scanned.
Result<RequestScan> scan_request(const ScanContext& context, const codec::LlmRequest& request);

// True when `arguments`, a JSON text, says more once its escapes are resolved: what a tool will see
// is scanned too. Adds what only shows in that form; such a match cannot be cut out in place.
Result<bool> scan_unescaped(const ScanContext& context, std::string_view arguments,
                            detect::Surface surface, const detect::Outcomes& outcomes,
                            Findings& findings, policy::Direction direction);

}  // namespace aispm::gateway
