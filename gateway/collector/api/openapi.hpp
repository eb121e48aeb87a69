// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::collector::api {

// The OpenAPI 3.1 description of the REST API as JSON, made from a serialized FileDescriptorSet
// with source information: paths from options.proto, texts from the comments of the .proto files.
Result<std::string> make_openapi(std::string_view descriptor_set, std::string_view version);

}  // namespace aispm::collector::api
