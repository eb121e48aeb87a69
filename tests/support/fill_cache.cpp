// SPDX-License-Identifier: Apache-2.0
// Compiles the shipped packs once for all tests that use them: fill_cache PACKS CACHE_FOLDER
#include <cstdio>

#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/engine.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fill_cache PACKS CACHE_FOLDER\n");
    return 2;
  }
  auto cache = aispm::detect::DatabaseCache::open(argv[2]);
  if (!cache) {
    std::fprintf(stderr, "%s\n", cache.error().message.c_str());
    return 1;
  }
  const auto engine = aispm::detect::Engine::open(argv[1], &*cache);
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  const auto& counts = cache->counts();
  std::printf("%zu rules, files loaded: %llu, made: %llu\n", (*engine)->rules().size(),
              static_cast<unsigned long long>(counts.loaded),
              static_cast<unsigned long long>(counts.compiled));
  return counts.unwritten == 0 ? 0 : 1;
}
