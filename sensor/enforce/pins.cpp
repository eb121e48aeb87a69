// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/pins.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/bpf_log.hpp"

namespace aispm::sensor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemMount = "/sys/fs/bpf";
// Maps with state worth keeping; the others belong to one loaded object.
constexpr const char* kShared[] = {
    "enforce_ring", "rule_sets",   "active",   "orders",  "processes", "cgroups",
    "uids",         "executables", "approved", "folders", "programs",  "addresses4",
    "addresses6",   "names",       "ports",    "cuts",    "effects",   "protected_endpoints",
    "origins"};

bool is_bpf_folder(const std::string& path) {
  struct statfs found {};
  return ::statfs(path.c_str(), &found) == 0 && found.f_type == BPF_FS_MAGIC;
}

Result<> make_folder(const std::string& folder) {
  if (folder.starts_with(std::string(kSystemMount) + "/") && !is_bpf_folder(kSystemMount) &&
      ::mount("bpf", kSystemMount, "bpf", 0, "mode=0700") != 0)
    return fail_errno(std::string("mount the BPF file system at ") + kSystemMount);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(Errc::kUnavailable, "make " + folder + ": " + error.message());
  if (!is_bpf_folder(folder))
    return fail(Errc::kUnsupported,
                folder + " is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf");
  return {};
}

bool has_same_shape(int fd, const bpf_map* map) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  return ::bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == ::bpf_map__type(map) &&
         info.key_size == ::bpf_map__key_size(map) &&
         info.value_size == ::bpf_map__value_size(map) &&
         info.max_entries == ::bpf_map__max_entries(map);
}

}  // namespace

Result<Pins> Pins::open(const std::string& folder) {
  AISPM_CHECK(make_folder(folder));
  Pins pins(folder);
  pins.lock_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!pins.lock_) return fail_errno("open " + folder);
  if (::flock(pins.lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::kUnavailable, "another sensor holds " + folder);
  return pins;
}

bool Pins::has_any(const std::string& folder) {
  return !folder.empty() && is_bpf_folder(folder) && Pins(folder).count_links() > 0;
}

Result<bool> Pins::lend_maps(bpf_object* object) const {
  std::vector<std::pair<bpf_map*, UniqueFd>> found;
  for (const char* name : kShared) {
    bpf_map* map = ::bpf_object__find_map_by_name(object, name);
    if (map == nullptr) continue;
    UniqueFd fd(::bpf_obj_get(map_path(name).c_str()));
    if (!fd) continue;
    if (!has_same_shape(fd.get(), map)) return false;
    found.emplace_back(map, std::move(fd));
  }
  for (const auto& [map, fd] : found)
    if (const int error = ::bpf_map__reuse_fd(map, fd.get()); error != 0)
      return fail_bpf(std::string("take over map ") + ::bpf_map__name(map), error);
  return true;
}

Result<> Pins::keep_maps(bpf_object* object) const {
  for (const char* name : kShared) {
    const bpf_map* map = ::bpf_object__find_map_by_name(object, name);
    if (map == nullptr || ::access(map_path(name).c_str(), F_OK) == 0) continue;
    if (::bpf_obj_pin(::bpf_map__fd(map), map_path(name).c_str()) != 0)
      return fail_errno(std::string("pin map ") + name);
  }
  return {};
}

Result<> Pins::keep_link(bpf_link* link, const std::string& name) const {
  const std::string path = link_path(name);
  const std::string fresh = path + "_new";
  ::unlink(fresh.c_str());
  if (const int error = ::bpf_link__pin(link, fresh.c_str()); error != 0)
    return fail_bpf("pin " + name, error);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno("pin " + name);
  return {};
}

bool Pins::drop_link(const std::string& name) const {
  return ::unlink(link_path(name).c_str()) == 0;
}

std::size_t Pins::count_links() const {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (entry.path().filename().string().starts_with("link_")) ++count;
  return count;
}

Result<> Pins::clear() const {
  // The kernel lets go of links in its own time; without active rules they allow everything.
  const std::uint32_t zero = 0;
  const std::uint32_t none = 2;
  if (const UniqueFd active(::bpf_obj_get(map_path("active").c_str()));
      active && ::bpf_map_update_elem(active.get(), &zero, &none, BPF_ANY) != 0)
    return fail_errno("write table active");
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (::unlink(entry.path().c_str()) != 0) return fail_errno("unpin " + entry.path().string());
  return {};
}

Result<std::size_t> Pins::remove_all(const std::string& folder) {
  if (!is_bpf_folder(folder)) return std::size_t{0};
  AISPM_TRY(const Pins pins, open(folder));
  const std::size_t links = pins.count_links();
  AISPM_CHECK(pins.clear());
  if (::rmdir(folder.c_str()) != 0) log::debug("pins.folder", {{"errno", errno}});
  return links;
}

}  // namespace aispm::sensor
