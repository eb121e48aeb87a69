// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/classify/facts.hpp"
#include "sensor/classify/model_format.hpp"

namespace aispm::sensor {

// The first bytes of a regular file, whatever is there; empty when it cannot be opened. Opens
// nothing else (no pipe, no device).
std::string read_head(const std::string& path, std::size_t limit_bytes);

// The file as a model when its bytes say so; `path` is how to call it.
std::optional<ModelFile> look_at_model(const std::string& open_path, const std::string& path,
                                       const Signatures& signatures);

// SHA-256 of model files (SEN-018), a slice at a time so that its thread can do other things, and
// remembered by device, inode, size and time of change. Not thread-safe.
class ModelHasher {
 public:
  static constexpr std::size_t kSliceBytes = 1U << 20;
  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr std::size_t kMaxRemembered = 8192;

  // The hash if it is known; else the file is put into the queue and nothing is returned. `model`
  // comes back from work() when it is done.
  std::optional<std::string> find(const std::string& open_path, const ModelFile& model);
  bool has_work() const { return !waiting_.empty(); }
  // Reads one slice. Gives the model with its hash when that was the last.
  std::optional<ModelFile> work();

  std::uint64_t refused() const { return refused_; }
  std::uint64_t hashed() const { return hashed_; }

 private:
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;
  struct Job {
    UniqueFd file;
    Key key;
    ModelFile model;
    Sha256Stream stream;
    std::uint64_t offset = 0;
  };

  std::deque<Job> waiting_;
  std::map<Key, std::string> known_;
  std::uint64_t refused_ = 0;
  std::uint64_t hashed_ = 0;
};

}  // namespace aispm::sensor
