// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

struct bpf_link;
struct bpf_map;
struct bpf_object;
extern "C" int bpf_link__destroy(bpf_link* link);

namespace aispm::sensor {

// A folder of the BPF file system that keeps maps and links alive without us. Held by one daemon at
// a time.
class Pins {
 public:
  // Makes the folder; mounts the BPF file system at /sys/fs/bpf when the folder is to be there and
  // nothing is mounted. kUnsupported when the folder is on another file system, kUnavailable when
  // another sensor holds it.
  static Result<Pins> open(const std::string& folder);

  // Whether a daemon left something there. Changes nothing.
  static bool has_any(const std::string& folder);

  // Gives the object the pinned maps it declares, by name. False when one of them has another shape
  // than the object's: then nothing was given.
  Result<bool> lend_maps(bpf_object* object) const;
  // Pins every shared map that is not yet.
  Result<> keep_maps(bpf_object* object) const;
  // Pins the link; it takes the place of the one pinned under that name, which ends.
  Result<> keep_link(bpf_link* link, const std::string& name) const;
  // Ends what is pinned under that name. True when there was something.
  bool drop_link(const std::string& name) const;
  std::size_t count_links() const;
  // Ends everything here.
  Result<> clear() const;

  // For `aispm-sensord --remove-pins`: how many links ended. 0 when the folder is not there.
  static Result<std::size_t> remove_all(const std::string& folder);

 private:
  explicit Pins(std::string folder) : folder_(std::move(folder)) {}
  std::string map_path(const char* name) const { return folder_ + "/map_" + name; }
  std::string link_path(const std::string& name) const { return folder_ + "/link_" + name; }

  std::string folder_;
  UniqueFd lock_;
};

}  // namespace aispm::sensor
