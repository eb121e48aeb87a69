// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rego.hpp"

#include <boost/json.hpp>

#include "sdk/core/policy/rust_bytes.hpp"

namespace aispm::policy {
namespace {

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

}  // namespace

void Rego::Free::operator()(aispm_rego* engine) const { aispm_rego_free(engine); }

Result<Rego> Rego::compile(const std::vector<RegoModule>& modules, std::string_view data,
                           RegoLimits limits) {
  if (modules.size() > kMaxModules)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxModules) + " Rego modules");
  aispm_rego_limit_memory(kMaxMemoryBytes);
  boost::json::array list;
  for (const RegoModule& module : modules) {
    if (module.text.size() > kMaxModuleBytes)
      return fail(Errc::kTooLarge,
                  module.name + ": longer than " + std::to_string(kMaxModuleBytes) + " bytes");
    list.push_back({{"name", module.name}, {"text", module.text}});
  }
  const std::string sent = boost::json::serialize(list);
  RustBytes error;
  aispm_rego* engine = nullptr;
  if (aispm_rego_compile(bytes_of(sent), sent.size(), bytes_of(data), data.size(),
                         static_cast<std::uint64_t>(limits.time.count()), &engine,
                         error.out()) != 0)
    return fail(Errc::kInvalid, std::string(error.text()));
  Rego rego;
  rego.engine_.reset(engine);
  return rego;
}

Result<std::string> Rego::evaluate(std::string_view rule, std::string_view input) const {
  if (input.size() > kMaxInputBytes)
    return fail(Errc::kTooLarge,
                "Rego input: longer than " + std::to_string(kMaxInputBytes) + " bytes");
  RustBytes answer;
  if (aispm_rego_evaluate(engine_.get(), bytes_of(rule), rule.size(), bytes_of(input), input.size(),
                          answer.out()) != 0)
    return fail(Errc::kInvalid, std::string(answer.text()));
  return std::string(answer.text());
}

Result<std::string> Rego::packages() const {
  RustBytes answer;
  if (aispm_rego_packages(engine_.get(), answer.out()) != 0)
    return fail(Errc::kInternal, std::string(answer.text()));
  return std::string(answer.text());
}

}  // namespace aispm::policy
