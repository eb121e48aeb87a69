// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/model/host.hpp"

namespace aispm::sandbox {

// The machine we run on. `caller_environment` is taken as given (main's envp).
class RealHost : public Host {
 public:
  explicit RealHost(std::vector<std::string> caller_environment)
      : environment_(std::move(caller_environment)) {}
  Type type(const std::string& path) const override;
  bool is_placeholder(const std::string& path) const override;
  bool is_executable(const std::string& path) const override;
  std::optional<std::string> read_link(const std::string& path) const override;
  std::optional<std::string> read_start(const std::string& path,
                                        std::size_t limit_bytes) const override;
  std::optional<std::string> resolve(const std::string& path) const override;
  std::optional<std::string> environment(const std::string& name) const override;
  std::string current_folder() const override;
  std::string home() const override;

 private:
  std::vector<std::string> environment_;
};

}  // namespace aispm::sandbox
