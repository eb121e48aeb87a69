// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <filesystem>
#include <iterator>
#include <ostream>

#include "sdk/cli/input.hpp"
#include "sdk/cli/policy_commands.hpp"
#include "sdk/cli/text.hpp"
#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/bundle_judge.hpp"
#include "sdk/core/policy/problems.hpp"
#include "sdk/core/policy/registry_load.hpp"

namespace aispm::cli {
namespace {

namespace json = boost::json;
using policy::Bundle;

constexpr std::pair<std::string_view, std::string_view> kSchemas[] = {
#include "sdk/cli/policy_schemas.inc"
};
constexpr std::size_t kMaxKeyBytes = 16U << 10;
constexpr std::size_t kMaxInputBytes = 4U << 20;

Result<> check_detect(const std::shared_ptr<const policy::DetectPart>& part) {
  return detect::check_bundle_rules(part->text, part->path);
}

Result<policy::BundleOptions> options_of(const TrustedKeys& keys) {
  policy::BundleOptions options;
  options.must_be_signed = keys.must_be_signed;
  options.take_detect = check_detect;
  for (const std::string& file : keys.files) {
    AISPM_TRY(std::string pem, read_file(file, kMaxKeyBytes));
    if (auto id = ed25519::key_id(pem); !id)
      return fail(id.error().code, file + ": " + id.error().message);
    options.trusted_keys.push_back(std::move(pem));
  }
  return options;
}

void print(const Output& output, const json::object& answer) {
  if (output.json) {
    output.stream << json::serialize(answer) << "\n";
    return;
  }
  for (const auto& field : answer) {
    const std::string value = field.value().is_string() ? std::string(field.value().get_string())
                                                        : json::serialize(field.value());
    if (value.empty()) continue;
    std::string name(field.key());
    name.resize(std::max<std::size_t>(name.size() + 1, 12), ' ');
    output.stream << name << safe(value) << "\n";
  }
}

// The first problem of each file, "FOLDER/FILE:LINE:COLUMN: what is wrong", divided by "; ".
std::string describe_problems(const std::string& folder,
                              const std::vector<policy::FolderFile>& files,
                              const policy::BundleOptions& options) {
  const auto validation = policy::validate_bundle(files, options);
  std::string text;
  for (const auto& problem : validation.problems()) {
    text += (text.empty() ? "" : "; ") + folder;
    if (!problem.path().empty()) text += "/" + problem.path();
    for (const std::uint32_t place : {problem.line(), problem.column()})
      if (place != 0) text += ":" + std::to_string(place);
    text += ": " + problem.message();
  }
  return text;
}

}  // namespace

Result<> check_bundle(const std::string& folder, const TrustedKeys& keys, const Output& output) {
  AISPM_TRY(const policy::BundleOptions options, options_of(keys));
  AISPM_TRY(const auto files, policy::read_safe_folder(folder));
  const auto compiled = Bundle::compile(files, options);
  if (!compiled) return fail(compiled.error().code, describe_problems(folder, files, options));
  const auto& bundle = *compiled;
  json::object answer{{"version", bundle->version()}, {"signed_by", bundle->signed_by()}};
  if (bundle->actions() != nullptr) answer["action_rules"] = bundle->actions()->rule_count();
  if (bundle->commands() != nullptr) answer["command_rules"] = bundle->commands()->rule_count();
  if (!bundle->sensor_orders().empty()) answer["sensor_rules"] = bundle->sensor_orders().size();
  if (bundle->detect()) answer["detect"] = bundle->detect()->digest;
  if (bundle->sandbox() != nullptr) answer["sandbox_rules"] = bundle->sandbox()->size();
  if (bundle->tools() != nullptr) answer["tools"] = bundle->tools()->registry().tools().size();
  if (bundle->rego() != nullptr) {
    const auto& packages = bundle->rego()->packages();
    answer["rego"] = json::array(packages.begin(), packages.end());
    if (!bundle->rego()->interpreted().empty())
      answer["rego_interpreted"] = json::value_from(bundle->rego()->interpreted());
  }
  print(output, answer);
  return {};
}

Result<> make_policy_keys(const std::string& prefix, const Output& output) {
  for (const char* ending : {".key", ".pub"})
    if (std::filesystem::exists(prefix + ending))
      return fail(Errc::kExists, prefix + ending + ": is there already");
  AISPM_TRY(const ed25519::KeyPair keys, ed25519::make_keys());
  AISPM_CHECK(write_file_atomically(prefix + ".key", keys.secret_pem.expose(), 0600));
  AISPM_CHECK(write_file_atomically(prefix + ".pub", keys.public_pem, 0644));
  AISPM_TRY(const std::string id, ed25519::key_id(keys.public_pem));
  print(output, {{"key", id}, {"secret", prefix + ".key"}, {"public", prefix + ".pub"}});
  return {};
}

Result<> sign_policy(const std::string& folder, const std::string& key_file, const Output& output) {
  AISPM_TRY(const std::string pem, read_file(key_file, kMaxKeyBytes));
  AISPM_TRY(const auto files, policy::read_safe_folder(folder));
  policy::BundleOptions options;
  options.take_detect = check_detect;
  AISPM_TRY(const auto bundle, Bundle::compile(files, options));
  auto signature = policy::sign_bundle(files, Secret(pem));
  if (!signature) return fail(signature.error().code, key_file + ": " + signature.error().message);
  AISPM_CHECK(write_file_atomically(folder + "/" + Bundle::kSignatureFile, *signature, 0644));
  print(output,
        {{"version", bundle->version()}, {"signature", folder + "/" + Bundle::kSignatureFile}});
  return {};
}

Result<> verify_policy(const std::string& folder, const TrustedKeys& keys, const Output& output) {
  if (keys.files.empty()) return fail(Errc::kInvalid, "--key is missing: which key is trusted?");
  AISPM_TRY(const policy::BundleOptions options, options_of(keys));
  AISPM_TRY(const auto files, policy::read_safe_folder(folder));
  AISPM_TRY(const std::string key, policy::verify_bundle(files, options.trusted_keys));
  print(output, {{"signed_by", key}});
  return {};
}

Result<> decide_action(const std::string& folder, const std::string& registry,
                       const std::string& action_file, const Output& output) {
  AISPM_TRY(const auto bundle, policy::load_with_registry(folder, registry));
  if (bundle->actions() == nullptr && bundle->tools() == nullptr && bundle->rego() == nullptr)
    return fail(Errc::kNotFound, folder + ": has neither actions.yaml nor tools.yaml nor rego");
  AISPM_TRY(const std::string text, read_text(action_file, kMaxInputBytes));
  auto asked = policy::ActionJson::parse(text);
  if (!asked) return fail(asked.error().code, action_file + ": " + asked.error().message);
  const policy::BundleDecision decision =
      policy::judge_by_bundle(*bundle, std::move(*asked), output.now);
  print(output, {{"outcome", model::name_of(decision.outcome)},
                 {"rule", decision.rule_id},
                 {"reason", decision.reason},
                 {"approver", decision.approver_role},
                 {"policy", bundle->version()}});
  return {};
}

Result<> decide_command(const std::string& folder, const std::string& command,
                        const Output& output) {
  AISPM_TRY(const auto bundle, Bundle::load(folder));
  if (bundle->commands() == nullptr)
    return fail(Errc::kNotFound, folder + ": has no commands.yaml");
  const policy::CommandVerdict verdict = bundle->commands()->judge(command);
  print(output, {{"outcome", model::name_of(verdict.outcome)},
                 {"rule", verdict.rule_id.empty() ? "defaults" : verdict.rule_id},
                 {"command", verdict.command},
                 {"reason", verdict.reason}});
  return {};
}

std::string names_of_schemas() {
  std::string names;
  for (const auto& [name, text] : kSchemas)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

Result<> print_schema(const std::string& name, const Output& output) {
  for (const auto& [known, text] : kSchemas) {
    if (known != name) continue;
    output.stream << text;
    return {};
  }
  return fail(Errc::kNotFound, name + ": there are " + names_of_schemas());
}

Result<> evaluate_rego(const std::string& folder, const std::string& rule,
                       const std::string& input_file, const Output& output) {
  AISPM_TRY(const auto bundle, Bundle::load(folder));
  if (bundle->rego() == nullptr) return fail(Errc::kNotFound, folder + ": has no rego/*.rego");
  AISPM_TRY(const std::string input, read_text(input_file, kMaxInputBytes));
  AISPM_TRY(const std::string value, bundle->rego()->evaluate(rule, input));
  output.stream << safe(json::serialize(json::parse(value))) << "\n";
  return {};
}

}  // namespace aispm::cli
