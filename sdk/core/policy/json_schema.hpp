// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "sdk/core/common/result.hpp"

struct aispm_schema;

namespace aispm::policy {

// A compiled JSON Schema of any draft. Nothing is ever fetched; patterns run in linear time, and
// those that cannot are left out. Immutable; any thread.
class JsonSchema {
 public:
  static constexpr std::size_t kMaxBytes = 256U << 10;

  // kInvalid: no schema, or one that refers to elsewhere; kTooLarge.
  static Result<std::shared_ptr<const JsonSchema>> compile(std::string_view schema);
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // kInvalid with the first thing that is wrong and where, without the values that were given.
  Result<> check(std::string_view json) const;

 private:
  explicit JsonSchema(aispm_schema* schema) : schema_(schema) {}
  aispm_schema* const schema_;
};

}  // namespace aispm::policy
