// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/config.hpp"
#include "sdk/core/codec/llm_api.hpp"

namespace aispm::gateway {

// What a provider calls a model: its `deployments` say, else as everybody does.
std::string_view deployment_of(const ProviderConfig& config, std::string_view model);

// `text` with every byte escaped that RFC 3986 does not call unreserved: one segment of a path.
std::string percent_encoded(std::string_view text);
// No name, or one that servers take for a step within the path ("..").
bool leads_elsewhere(std::string_view segment);

struct ClientTarget {
  codec::Api api = codec::Api::kOpenAiChat;
  bool is_list = false;  // of models, instead of a request to one
  std::string_view path;
  std::string_view query;  // with "?"; as find_route() allowed it
  std::string_view model;
  bool streams = false;
};

// The target of a request at the provider. kNotFound: it has nothing for this path.
Result<std::string> target_at(const ProviderConfig& config, const ClientTarget& asked);

}  // namespace aispm::gateway
