// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/container.hpp"

#include <algorithm>

#include "sensor/classify/config_value.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kIdDigits = 64;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// The last run of exactly 64 hex digits in the path, with where it begins.
std::optional<std::size_t> find_id(std::string_view path) {
  std::optional<std::size_t> found;
  for (std::size_t begin = 0; begin < path.size();) {
    std::size_t end = begin;
    while (end < path.size() && is_hex(path[end])) ++end;
    if (end - begin == kIdDigits) found = begin;
    begin = end + 1;
  }
  return found;
}

std::string runtime_of(std::string_view path, std::string_view before_id) {
  struct Name {
    std::string_view text;
    const char* runtime;
  };
  static constexpr Name kBefore[] = {
      {"docker-", "docker"}, {"docker/", "docker"}, {"cri-containerd-", "containerd"},
      {"crio-", "cri-o"},    {"libpod-", "podman"}, {"containerd-", "containerd"},
      {"lxc/", "lxc"}};
  for (const Name& name : kBefore)
    if (before_id.ends_with(name.text)) return name.runtime;
  if (path.find("kubepods") != std::string_view::npos) return "kubernetes";
  return path.find("containerd") != std::string_view::npos ? "containerd" : "";
}

// ".../kubepods-burstable-pod1234_5678.slice/..." or ".../pod1234-5678/..."
std::string pod_of(std::string_view path) {
  const std::size_t at = path.rfind("pod", path.size());
  if (path.find("kubepods") == std::string_view::npos || at == std::string_view::npos) return "";
  std::string uid(path.substr(at + 3));
  uid = uid.substr(0, std::min(uid.find('/'), uid.find(".slice")));
  std::replace(uid.begin(), uid.end(), '_', '-');
  return uid.size() == 36 ? uid : "";
}

}  // namespace

std::optional<ContainerRef> find_container(std::string_view cgroup) {
  while (!cgroup.empty()) {
    const std::size_t end = std::min(cgroup.find('\n'), cgroup.size());
    const std::string_view line = cgroup.substr(0, end);
    cgroup.remove_prefix(std::min(end + 1, cgroup.size()));
    const std::size_t slash = line.find('/');
    if (slash == std::string_view::npos) continue;
    const std::string_view path = line.substr(slash);
    const auto at = find_id(path);
    if (!at) continue;
    ContainerRef found;
    found.id = path.substr(*at, kIdDigits);
    found.runtime = runtime_of(path, path.substr(0, *at));
    found.pod = pod_of(path.substr(0, *at));
    return found;
  }
  return std::nullopt;
}

std::string docker_image(const std::string& config) {
  const auto root = parse_config_file("", config);
  const ConfigValue* inner = root ? root->find("Config") : nullptr;
  return inner == nullptr ? "" : std::string(inner->text_at("Image"));
}

std::string oci_image(const std::string& config) {
  const auto root = parse_config_file("", config);
  const ConfigValue* notes = root ? root->find("annotations") : nullptr;
  if (notes == nullptr) return "";
  for (const char* key : {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName",
                          "org.opencontainers.image.ref.name", "nerdctl/image-name"})
    if (const std::string_view name = notes->text_at(key); !name.empty()) return std::string(name);
  return "";
}

std::string podman_image(const std::string& containers, std::string_view id) {
  // The file is a list; the reader wants a map around it.
  const auto root = parse_config_file("", "{\"all\":" + containers + "}");
  const ConfigValue* all = root ? root->find("all") : nullptr;
  if (all == nullptr) return "";
  for (const ConfigValue& one : all->list) {
    if (one.text_at("id") != id) continue;
    // `metadata` is JSON in a text.
    const auto metadata = parse_config_file("", std::string(one.text_at("metadata")));
    return metadata ? std::string(metadata->text_at("image-name")) : "";
  }
  return "";
}

}  // namespace aispm::sensor
