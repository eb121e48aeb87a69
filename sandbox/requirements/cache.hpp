// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/requirements/lock_entry.hpp"
#include "sandbox/requirements/tree.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// A set of packages that is held: nobody prunes it while `hold` is open.
struct HeldSet {
  PackageSet set;
  UniqueFd hold;
};

// Where a build writes; removed with the object.
class Staging {
 public:
  Staging(int cache, std::string name, std::string path, UniqueFd folder);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();
  const std::string& path() const { return path_; }
  int folder() const { return folder_.get(); }
  // A file at its top, which may be hostile: no link is followed.
  Result<std::string> read(const std::string& name, std::size_t limit_bytes) const;

 private:
  int cache_;
  std::string name_;
  std::string path_;
  UniqueFd folder_;
};

// Packages that were resolved before: locks/KEY names a tree, trees/NAME holds one. One user's own
// folder; two processes may use it at a time.
class Cache {
 public:
  struct Listed {
    std::string tree;
    std::uint64_t bytes = 0;
    std::uint64_t used_seconds = 0;  // since 1970
    std::size_t packages = 0;
    std::string owner;
    bool is_used_now = false;
  };

  // Makes the folder where it is missing. kDenied when somebody else could write in it.
  static Result<Cache> open(const std::string& path);

  // What is there for a key: one open, one read and a stat, unless the last look at the files
  // themselves was a day ago. Nothing when there is none, or it is damaged (then it is removed).
  std::optional<HeldSet> find(const std::string& key, bool is_node);
  // Why a set that was there was not good enough for find(); empty: none was given up.
  const std::string& discarded() const { return discarded_; }
  // Held by one process at a time; others wait.
  Result<UniqueFd> lock_key(const std::string& key);
  Result<std::unique_ptr<Staging>> make_staging();
  // Moves the sealed folder `name` of `staging` into the cache.
  Result<HeldSet> put(const std::string& key, bool is_node, Staging& staging,
                      const std::string& name, const std::string& environment,
                      const SealedTree& sealed, std::vector<Package> packages);

  Result<std::vector<Listed>> list();
  // Removes what was not used longest until at most `limit_bytes` are left, never what is in use.
  // Gives the trees removed.
  Result<std::vector<Listed>> prune(std::uint64_t limit_bytes);
  // Looks at every file of every tree; removes those that are damaged and names them.
  Result<std::vector<std::string>> check();
  const std::string& path() const { return path_; }

 private:
  Cache(std::string path, UniqueFd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
  Result<HeldSet> hold(const LockEntry& entry, bool is_node, bool look_at_files);
  Result<> verify(const std::string& tree);
  Result<> remove(const std::string& tree);

  std::string path_;
  UniqueFd folder_;
  std::string discarded_;
};

}  // namespace aispm::sandbox
