// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::sensor {

// Finds secrets in arguments and environments of processes. A secret itself goes no further than
// this: a detection says where it stood, by which rule it was known, and a keyed hash, by which the
// same secret is known again on this host and cannot be guessed elsewhere. Not thread-safe.
class SecretFinder {
 public:
  static constexpr std::size_t kMaxEnvironmentBytes = 128U << 10;
  static constexpr std::size_t kMaxDetections = 32;  // of one process and place
  static constexpr std::string_view kPlaceholder = "[secret]";

  // With the rules this version was built with; compiling them takes about half a second.
  // `host_key` keys the hashes.
  static Result<SecretFinder> open(Secret host_key);

  // Replaces every secret in the arguments by kPlaceholder and says what was found. An argument
  // that cannot be judged is replaced as a whole, and counted.
  std::vector<model::Detection> redact(std::vector<std::string>& arguments);
  // What the environment block (as /proc/PID/environ reads) holds.
  std::vector<model::Detection> find(std::string_view environment);

  std::uint64_t not_judged() const { return not_judged_; }
  // The compiled rules, for others who look for secrets.
  const std::shared_ptr<const detect::Engine>& engine() const { return engine_; }

 private:
  SecretFinder(std::shared_ptr<const detect::Engine> engine, detect::Scratch scratch,
               Secret host_key)
      : engine_(std::move(engine)), scratch_(std::move(scratch)), host_key_(std::move(host_key)) {}
  bool scan(std::string_view text);
  model::Detection describe(const detect::Match& match, std::string_view text,
                            std::string_view surface, std::string_view place) const;

  std::shared_ptr<const detect::Engine> engine_;
  detect::Scratch scratch_;
  Secret host_key_;
  std::vector<detect::Match> matches_;
  std::string joined_;
  std::uint64_t not_judged_ = 0;
};

}  // namespace aispm::sensor
