// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm {

// The enrolment token of a component's configuration: `enrolment_token`, or what stands in the file
// that `enrolment_token_file` names. Empty when neither gives one: a token is used once, so its
// file may be gone, and a missing certificate is the reporter's to complain about.
inline Secret read_enrolment_token(const YamlMap& map) {
  constexpr std::size_t kMaxTokenBytes = 4096;
  const std::string token = map.text("enrolment_token", "");
  const std::string path = map.text("enrolment_token_file", "");
  if (!token.empty() && !path.empty())
    map.reject("enrolment_token", "give either enrolment_token or enrolment_token_file");
  if (path.empty()) return Secret(token);
  auto content = read_file(path, kMaxTokenBytes);
  if (!content) return {};
  content->erase(content->find_last_not_of(" \t\r\n") + 1);
  return Secret(std::move(*content));
}

}  // namespace aispm
