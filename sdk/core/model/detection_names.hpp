// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

// The words for what detection finds and where, as in YAML, JSON and events. Detection's enums have
// the same order.
namespace aispm::model {

inline constexpr std::array<std::string_view, 18> kCategoryNames = {"prompt_injection",
                                                                    "secret",
                                                                    "pii",
                                                                    "jailbreak",
                                                                    "extraction",
                                                                    "exfiltration",
                                                                    "tool_abuse",
                                                                    "memory_poisoning",
                                                                    "recon",
                                                                    "privilege_escalation",
                                                                    "social_engineering",
                                                                    "malware",
                                                                    "obfuscation",
                                                                    "insecure_output",
                                                                    "toxicity",
                                                                    "harmful",
                                                                    "confidential",
                                                                    "custom"};
inline constexpr std::array<std::string_view, 9> kSurfaceNames = {
    "prompt", "system",       "tool_result",        "tool_arguments", "tool_description",
    "reply",  "memory_write", "retrieved_document", "email_or_web"};

}  // namespace aispm::model
