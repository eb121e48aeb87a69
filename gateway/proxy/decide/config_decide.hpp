// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/agent_registry.hpp"

// What gateway.yaml says about decisions over actions.
namespace aispm::gateway {

// A bundle of this host's own (`bundle:`).
struct BundleConfig {
  std::string folder;             // "" = none
  std::vector<std::string> keys;  // public keys, PEM
  bool must_be_signed = false;
};

struct ApprovalConfig {
  std::chrono::milliseconds wait{300'000};  // that a call is held for a person's answer
  std::chrono::seconds valid{3600};         // that an answer may be given and used
  std::chrono::milliseconds pulse{10'000};  // between signs of life to a streaming client
  std::string link;                         // prefix of the page of a case; "" = cases have no link
};

// Where change tickets are looked up (`tickets:`).
struct TicketConfig {
  std::string url;  // with {ticket}; "" = tickets cannot be shown, so what needs one is denied
  std::string ca_file;
  std::string pattern;                  // the whole ticket must match
  std::string status_field = "status";  // path into the JSON answer, parts split by dots
  std::vector<std::string> allowed = {"approved", "in_progress"};
  std::chrono::milliseconds cache{60'000};
  std::chrono::milliseconds deadline{5'000};
  Secret key;  // sent as a bearer; "" = none
  bool allow_private = false;
};

// Whose signature makes a step-up token (`step_up:`).
struct StepUpConfig {
  std::vector<std::string> keys;  // public keys, PEM: Ed25519 or RSA; empty: nobody can step up
  std::chrono::seconds max_age{300};
  std::string issuer;    // "" = any
  std::string audience;  // "" = any
};

struct DecideConfig {
  BundleConfig bundle;
  policy::AgentRegistry agents;  // for bundles that name no agents themselves
  ApprovalConfig approvals;
  TicketConfig tickets;
  StepUpConfig step_up;
};

// Reads the files of public keys (PEM) that the list at `key` names, at most 16; errors go to the
// map.
std::vector<std::string> read_keys(const YamlMap& map, const std::string& key);

// Reads `bundle`, `agents`, `approvals`, `tickets` and `step_up`; errors go to the map.
DecideConfig read_decide(const YamlMap& root);

}  // namespace aispm::gateway
