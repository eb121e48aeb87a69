// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sensor/behaviour/baseline.hpp"

namespace aispm::sensor {

// What the sensor keeps between runs besides its spool, in its state folder.
class HostState {
 public:
  explicit HostState(std::string folder) : folder_(std::move(folder)) {}

  // The key of this host's secret hashes: made at first use, readable by root only. kUnavailable
  // when it can be neither read nor written.
  Result<Secret> hash_key() const;
  // Nothing saved yet is no error.
  Result<> restore(Baselines& baselines) const;
  // Only when something changed.
  Result<> save(const Baselines& baselines) const;

 private:
  std::string folder_;
};

}  // namespace aispm::sensor
