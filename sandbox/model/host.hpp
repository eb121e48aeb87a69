// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace aispm::sandbox {

// What planning needs to know of the host. The real one is apply/real_host.hpp; tests give a map of
// made-up files.
class Host {
 public:
  enum class Type { kMissing, kFile, kFolder, kSymlink, kOther };

  virtual ~Host() = default;
  // Type of the path itself: a symlink is kSymlink.
  virtual Type type(const std::string& path) const = 0;
  // What an earlier run, or one beside this, put where nothing was (apply/placeholders.hpp).
  virtual bool is_placeholder(const std::string& path) const = 0;
  virtual bool is_executable(const std::string& path) const = 0;
  // Text of a symlink.
  virtual std::optional<std::string> read_link(const std::string& path) const = 0;
  // First `limit_bytes` of a regular file.
  virtual std::optional<std::string> read_start(const std::string& path,
                                                std::size_t limit_bytes) const = 0;
  // All symlinks resolved; nothing when it does not exist.
  virtual std::optional<std::string> resolve(const std::string& path) const = 0;
  virtual std::optional<std::string> environment(const std::string& name) const = 0;
  // The caller's current folder and home folder, resolved.
  virtual std::string current_folder() const = 0;
  virtual std::string home() const = 0;
};

}  // namespace aispm::sandbox
