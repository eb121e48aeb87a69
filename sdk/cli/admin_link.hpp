// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::cli {

inline constexpr const char* kAdminSocket = "/run/aispm/gateway-admin.sock";

// One request to the operator's door of this host's gateway, which lets root and its own user in.
// Gives the answer's object; a refusal is an error with the gateway's words.
Result<boost::json::object> ask_gateway(const std::string& socket, const std::string& method,
                                        const std::string& path, const std::string& body = {});

// A member as text: strings as they are, anything else as JSON, "" when it is not there.
std::string text_of(const boost::json::object& object, const char* name);

}  // namespace aispm::cli
