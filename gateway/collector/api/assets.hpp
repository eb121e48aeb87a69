// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::collector::api {

struct Asset {
  std::string type;   // "text/javascript; charset=utf-8"
  std::string cache;  // Cache-Control
  std::string content;
};

// The dashboard's files, held in memory. Immutable once made; thread-safe.
class Assets {
 public:
  static constexpr std::size_t kMaxFiles = 2000;
  static constexpr std::size_t kMaxFileBytes = 16U << 20;

  // From a folder, or, with an empty path, those embedded at build time (perhaps none).
  static Result<Assets> load(const std::string& folder);

  // The file of that path ("/" is index.html). A path without a dot in its last part is a page of
  // the application and gives index.html too. nullptr: no such file.
  const Asset* find(std::string_view path) const;
  bool empty() const { return assets_.empty(); }

 private:
  void add(std::string_view name, std::string content);
  std::map<std::string, Asset, std::less<>> assets_;
};

// What is shown where no dashboard was built: how to build it.
Asset missing_dashboard();

}  // namespace aispm::collector::api
