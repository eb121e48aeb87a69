// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "sensor/config.hpp"
#include "sensor/discover/containers.hpp"
#include "sensor/discover/discovery.hpp"
#include "sensor/pipeline.hpp"

namespace aispm::sensor {

// Ties discovery to the pipeline: tells it of new processes, hands over what it found. Lives on the
// pipeline thread.
class DiscoveryFeed {
 public:
  // `host_key`: see Discovery.
  DiscoveryFeed(const Config& config, const Signatures& signatures, Secret host_key);

  // Adds what the pipeline has to call; this must outlive it.
  void connect(const Config& config, Pipeline::Parts& parts);
  void start();
  void feed(Pipeline& pipeline);
  void add_health(model::ComponentHealth& health) const;

 private:
  void read_posture_again();

  Containers containers_;
  std::unique_ptr<Discovery> discovery_;  // null when switched off
  std::map<std::string, std::string> posture_;
  std::chrono::steady_clock::time_point next_posture_;
};

}  // namespace aispm::sensor
