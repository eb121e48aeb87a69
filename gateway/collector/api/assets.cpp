// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/assets.hpp"

#include <filesystem>

#include "gateway/collector/embedded.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::collector::api {
namespace {

struct Type {
  std::string_view ending;
  std::string_view mime;
};

constexpr Type kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".txt", "text/plain; charset=utf-8"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
};

std::string_view type_of(std::string_view name) {
  for (const Type& type : kTypes)
    if (name.ends_with(type.ending)) return type.mime;
  return "application/octet-stream";
}

}  // namespace

void Assets::add(std::string_view name, std::string content) {
  // Vite puts a hash of the content into the names under assets/: those never change.
  const bool is_hashed = name.starts_with("assets/");
  assets_.emplace(
      "/" + std::string(name),
      Asset{std::string(type_of(name)),
            is_hashed ? "public, max-age=31536000, immutable" : "no-cache", std::move(content)});
}

Result<Assets> Assets::load(const std::string& folder) {
  Assets assets;
  if (folder.empty()) {
    for (const EmbeddedFile& file : embedded_dashboard())
      assets.add(file.name, std::string(file.content));
    return assets;
  }
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (!entry->is_regular_file()) continue;
    if (assets.assets_.size() == kMaxFiles)
      return fail(Errc::kTooLarge, folder + ": more than 2000 files");
    AISPM_TRY(std::string content, read_file(entry->path().string(), kMaxFileBytes));
    assets.add(std::filesystem::relative(entry->path(), folder).generic_string(),
               std::move(content));
  }
  if (error) return fail(Errc::kNotFound, folder + ": " + error.message());
  if (!assets.assets_.contains("/index.html"))
    return fail(Errc::kNotFound, folder + ": has no index.html");
  return assets;
}

const Asset* Assets::find(std::string_view path) const {
  if (const auto found = assets_.find(path); found != assets_.end()) return &found->second;
  const std::string_view last = path.substr(path.rfind('/') + 1);
  if (last.find('.') != std::string_view::npos) return nullptr;
  const auto index = assets_.find("/index.html");
  return index == assets_.end() ? nullptr : &index->second;
}

Asset missing_dashboard() {
  return {"text/html; charset=utf-8", "no-cache",
          "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>AISPM "
          "collector</title></head><body>"
          "<h1>AISPM collector</h1><p>This aispm-collector was built without the dashboard. Build "
          "it with "
          "<code>npm ci &amp;&amp; npm run build</code> in <code>gateway/dashboard</code>, then "
          "build the collector again, or "
          "name the folder <code>gateway/dashboard/dist</code> as <code>dashboard_folder</code> in "
          "collector.yaml.</p>"
          "<p>The API is at <code>/api/v1/</code> and described by <code>/openapi.json</code>; "
          "both need a token.</p>"
          "</body></html>\n"};
}

}  // namespace aispm::collector::api
