// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "sandbox/requirements/json.hpp"
#include "sandbox/requirements/requirements.hpp"

namespace aispm::sandbox {
namespace {

namespace json = boost::json;

constexpr std::array<const char*, 3> kLists = {"dependencies", "optionalDependencies",
                                               "devDependencies"};
constexpr std::size_t kSha512Bytes = 88;  // in base64

// "name:line: " of the first place where the key stands.
std::string line_of(std::string_view text, const std::string& name, const std::string& key) {
  const auto at = text.find("\"" + key + "\"");
  const auto end = at == std::string_view::npos ? 0 : at;
  return name + ":" + std::to_string(1 + std::count(text.begin(), text.begin() + end, '\n')) + ": ";
}

// A range of versions: no address, path, alias or repository.
bool is_range(std::string_view range) {
  return range.size() <= 256 && std::all_of(range.begin(), range.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view(".-+*^~<>=| ").find(c) != std::string_view::npos;
         });
}

Result<> check_list(const json::object& list, std::string_view text, const std::string& name) {
  for (const auto& [key, value] : list) {
    const std::string package(key);
    const std::string where = line_of(text, name, package);
    if (!is_package_name(package))
      return fail(Errc::kInvalid, where + "'" + package + "' is no name of a package");
    if (!value.is_string() || !is_range(std::string_view(value.get_string())))
      return fail(Errc::kInvalid, where + package +
                                      ": addresses, paths, aliases and repositories are refused. "
                                      "Name a version of the registry");
  }
  return {};
}

bool is_sha512(std::string_view integrity) {
  constexpr std::string_view kStart = "sha512-";
  return integrity.starts_with(kStart) && integrity.size() == kStart.size() + kSha512Bytes &&
         std::all_of(integrity.begin() + kStart.size(), integrity.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/' || c == '=';
         });
}

// "a" of "node_modules/a", "@s/b" of "node_modules/a/node_modules/@s/b"; empty for other paths.
std::string name_in(std::string_view path) {
  constexpr std::string_view kFolder = "node_modules/";
  if (!path.starts_with(kFolder)) return "";
  std::string_view rest = path;
  for (;;) {
    if (!rest.starts_with(kFolder)) return "";
    rest.remove_prefix(kFolder.size());
    const auto next = rest.find("/node_modules/");
    const auto name = rest.substr(0, next);
    if (!is_package_name(name)) return "";
    if (next == std::string_view::npos) return std::string(name);
    rest.remove_prefix(next + 1);
  }
}

bool is_true(const json::object& entry, const char* key) {
  const auto* value = entry.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

Result<Package> check_entry(const std::string& path, const json::object& entry,
                            const std::string& where, const std::string& registry) {
  Package package{name_in(path), text_of(entry, "version"), text_of(entry, "integrity"),
                  text_of(entry, "resolved")};
  if (package.name.empty())
    return fail(Errc::kInvalid, where +
                                    "lies outside of node_modules. Workspaces and linked "
                                    "folders are refused: depend on published packages");
  if (is_true(entry, "link"))
    return fail(Errc::kInvalid, where + "links to a folder. Depend on a published package");
  if (!is_package_version(package.version)) return fail(Errc::kInvalid, where + "has no version");
  if (is_true(entry, "inBundle")) return package;  // comes within its parent's file
  if (!package.url.starts_with(registry + "/") ||
      package.url.find_first_of("?#\\ ") != std::string::npos ||
      package.url.find("..") != std::string::npos)
    return fail(Errc::kInvalid, where + "does not come from the registry " + registry +
                                    ". Make the lock anew with it, or name yours with --index");
  if (!is_sha512(package.hash))
    return fail(Errc::kInvalid, where + "has no sha512. Make the lock anew (npm install)");
  return package;
}

}  // namespace

Result<Requirements> parse_package_json(std::string_view text, std::string_view lock,
                                        const std::string& name, const std::string& registry) {
  const std::string lock_name =
      name.substr(0, name.size() - std::min<std::size_t>(name.size(), 5)) + "-lock.json";
  if (text.size() > kMaxRequirementsBytes || lock.size() > kMaxLockBytes)
    return fail(Errc::kTooLarge, name + ": it or its lock is too large");
  AISPM_TRY(const json::object manifest, parse_object(text, name));
  AISPM_TRY(json::object locked, parse_object(lock, lock_name));
  if (manifest.contains("workspaces"))
    return fail(Errc::kInvalid, line_of(text, name, "workspaces") +
                                    "workspaces are refused. Depend on published packages");
  Requirements result;
  result.ecosystem = Ecosystem::kNode;
  json::object kept;  // without scripts, and whatever else a tool might act on
  for (const char* key : {"name", "version"})
    if (auto value = text_of(manifest, key); !value.empty()) kept[key] = value;
  for (const char* key : kLists) {
    const auto* list = object_of(manifest, key);
    if (list == nullptr) continue;
    AISPM_CHECK(check_list(*list, text, name));
    kept[key] = *list;
    if (std::string_view(key) != "devDependencies") result.count += list->size();
  }
  if (result.count > kMaxRequirements)
    return fail(Errc::kTooLarge,
                name + ": more than " + std::to_string(kMaxRequirements) + " dependencies");
  const auto* version = locked.if_contains("lockfileVersion");
  const auto* packages = object_of(locked, "packages");
  if (version == nullptr || !version->is_int64() || version->get_int64() < 2 ||
      version->get_int64() > 3 || packages == nullptr)
    return fail(Errc::kInvalid, line_of(lock, lock_name, "lockfileVersion") +
                                    "must be of version 2 or 3. Make it anew with npm 7 or later");
  if (packages->size() > kMaxPackages)
    return fail(Errc::kTooLarge,
                lock_name + ": more than " + std::to_string(kMaxPackages) + " packages");
  for (const auto& [key, value] : *packages) {
    const std::string path(key);
    const std::string where = line_of(lock, lock_name, path) + path + ": ";
    const auto* entry = value.if_object();
    if (entry == nullptr) return fail(Errc::kInvalid, where + "must be an object");
    if (path.empty()) {
      for (const char* list_key : kLists)
        if (const auto* list = object_of(*entry, list_key))
          AISPM_CHECK(check_list(*list, lock, lock_name));
      continue;
    }
    AISPM_TRY(Package package, check_entry(path, *entry, where, registry));
    if (!is_true(*entry, "dev") && !is_true(*entry, "inBundle"))
      result.packages.push_back(std::move(package));
  }
  locked.erase("dependencies");  // the same once more, for npm 6
  result.text = json::serialize(kept);
  result.lock = json::serialize(locked);
  return result;
}

}  // namespace aispm::sandbox
