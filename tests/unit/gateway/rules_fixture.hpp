// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gateway/proxy/pipeline/scan_request.hpp"
#include "sdk/core/detect/pack.hpp"

namespace aispm::gateway {

// Invented, in the form of the rules below; put together so that scanners of repositories do not
// take it for a live key.
inline const std::string kSecret = std::string("AKIA") + "Z7QJ3XNVB5KD2M4T";
inline constexpr char kRedacted[] = "[REDACTED:secret.aws_access_key]";

inline constexpr char kPack[] = R"(
pack: test
category: secret
rules:
  - id: secret.aws_access_key
    severity: high
    confidence: 0.9
    patterns: ['AKIA[A-Z2-7]{16}']
    not_after: '\w'
    not_before: '\w'
    message: AWS access key id
    version: '1'
    hits: ['AKIA{+}Z7QJ3XNVB5KD2M4T']
    misses: ['AKIA']
  - id: secret.private_key
    severity: critical
    confidence: 0.9
    patterns: ['-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----']
    message: private key
    version: '1'
    hits: ['-----BEGIN RSA PRIVATE {+}KEY-----']
    misses: ['-----BEGIN CERTIFICATE-----']
  - id: secret.account_number
    severity: low
    confidence: 0.9
    patterns: ['9900[0-9]{12}']
    message: account number
    version: '1'
    hits: ['9900{+}123456789012']
    misses: ['9900']
)";

inline constexpr char kPolicy[] = R"(
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - id: keys-out
    match: {rule_id: 'secret.aws*'}
    outcome: redact
    reason: keys are cut out
  - id: no-private-keys
    match: {rule_id: 'secret.private_key'}
    outcome: deny
    reason: private keys stop everything
)";

// Rules and memory for a scan, as an exchange has them.
inline ScanContext make_context(const std::string& policy_text = kPolicy) {
  static const std::shared_ptr<const detect::Engine> engine = [] {
    auto rules = detect::parse_rules(kPack, "pack.yaml");
    EXPECT_TRUE(rules) << rules.error().message;
    auto compiled = detect::Engine::compile(std::move(*rules));
    EXPECT_TRUE(compiled) << compiled.error().message;
    return *compiled;
  }();
  auto policy = policy::Policy::parse(policy_text, "policy.yaml");
  EXPECT_TRUE(policy) << policy.error().message;
  auto book = std::make_shared<RuleBook>();
  book->engine = engine;
  book->policy = *policy;
  auto scratch = engine->make_scratch();
  EXPECT_TRUE(scratch);
  ScanContext context;
  context.caller = {.agent = "tests/agent", .provider = "openai", .model = "m"};
  context.tables = book->make_tables(context.caller);
  context.bench = std::make_shared<Workbench>(Workbench{std::move(*scratch), {}, {}});
  context.book = std::move(book);
  return context;
}

}  // namespace aispm::gateway
