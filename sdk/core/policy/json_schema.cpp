// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/json_schema.hpp"

#include <string>

#include "sdk/core/policy/rust_bytes.hpp"

namespace aispm::policy {
namespace {

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

}  // namespace

Result<std::shared_ptr<const JsonSchema>> JsonSchema::compile(std::string_view schema) {
  if (schema.size() > kMaxBytes)
    return fail(Errc::kTooLarge, "schema: longer than " + std::to_string(kMaxBytes) + " bytes");
  RustBytes why;
  aispm_schema* compiled = nullptr;
  if (aispm_schema_compile(bytes_of(schema), schema.size(), &compiled, why.out()) != 0)
    return fail(Errc::kInvalid, "schema: " + std::string(why.text()));
  return std::shared_ptr<const JsonSchema>(new JsonSchema(compiled));
}

JsonSchema::~JsonSchema() { aispm_schema_free(schema_); }

Result<> JsonSchema::check(std::string_view json) const {
  RustBytes why;
  if (aispm_schema_check(schema_, bytes_of(json), json.size(), why.out()) == 0) return {};
  return fail(Errc::kInvalid, std::string(why.text()));
}

}  // namespace aispm::policy
