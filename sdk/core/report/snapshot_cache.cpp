// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/snapshot_cache.hpp"

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kMaxSnapshotBytes = 64U << 20;
constexpr std::size_t kHashDigits = 64;

}  // namespace

Result<> SnapshotCache::store(std::string_view bytes) const {
  std::string content = sha256_hex(bytes);
  content += bytes;
  return write_file_atomically(path_, content, 0600);
}

Result<std::optional<std::string>> SnapshotCache::load() const {
  auto content = read_file(path_, kMaxSnapshotBytes);
  if (!content && content.error().code == Errc::kNotFound) return std::optional<std::string>();
  if (!content) return fail(content.error());
  if (content->size() < kHashDigits ||
      sha256_hex(std::string_view(*content).substr(kHashDigits)) != content->substr(0, kHashDigits))
    return fail(Errc::kInvalid, path_ + ": damaged");
  content->erase(0, kHashDigits);
  return std::optional<std::string>(std::move(*content));
}

}  // namespace aispm::report
