// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

namespace google::protobuf {
class Descriptor;
}

namespace aispm::gateway {

// What a newer program said that this version has no name for.
struct UnknownFields {
  std::uint64_t fields = 0;  // and values of enumerations
  std::uint64_t events = 0;  // of a kind that is not known, and so not taken
  std::string first;         // "sandbox_start.start_kind", at most kMaxNameBytes
  static constexpr std::size_t kMaxNameBytes = 128;
};

// Takes out of `object`, proto3 JSON of `type` in snake_case or camelCase, what `type` does not
// know, and counts it in `unknown`.
void drop_unknown(boost::json::object& object, const google::protobuf::Descriptor& type,
                  UnknownFields& unknown);

}  // namespace aispm::gateway
