// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {

// A host made of a map: "path" -> content, "path" -> "-> target" for links, "path/" for folders.
class FakeHost : public Host {
 public:
  FakeHost() {
    for (const char* folder : {"/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/etc/ssl/certs",
                               "/home", "/home/ann", "/home/ann/bot", "/tmp"})
      folders_[folder] = true;
    add_link("/bin", "usr/bin");
    add_file("/usr/bin/python3",
             "\x7f"
             "ELF");
    add_file("/usr/bin/true",
             "\x7f"
             "ELF");
    add_file("/home/ann/bot/agent.py", "print(1)\n");
    variables_ = {{"PATH", "/usr/bin"}, {"HOME", "/home/ann"}};
  }
  void add_file(const std::string& path, const std::string& text) {
    files_[path] = text;
    for (std::string at = parent_of(path); at != "/"; at = parent_of(at)) folders_[at] = true;
  }
  void add_link(const std::string& path, const std::string& target) {
    links_[path] = target;
    for (std::string at = parent_of(path); at != "/"; at = parent_of(at)) folders_[at] = true;
  }
  void add_placeholder(const std::string& path) {
    folders_[path] = true;
    placeholders_.insert(path);
  }
  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  void enter(const std::string& folder) { current_ = folder; }

  Type type(const std::string& path) const override {
    if (links_.contains(path)) return Type::kSymlink;
    if (files_.contains(path)) return Type::kFile;
    return folders_.contains(path) ? Type::kFolder : Type::kMissing;
  }
  bool is_placeholder(const std::string& path) const override {
    return placeholders_.contains(path);
  }
  bool is_executable(const std::string& path) const override { return !path.ends_with(".txt"); }
  std::optional<std::string> read_link(const std::string& path) const override {
    const auto found = links_.find(path);
    return found == links_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string> read_start(const std::string& path, std::size_t limit) const override {
    const auto found = files_.find(path);
    return found == files_.end() ? std::nullopt : std::optional(found->second.substr(0, limit));
  }
  std::optional<std::string> resolve(const std::string& path) const override {
    std::string at = path;
    for (int i = 0; i < 8; ++i) {
      bool changed = false;
      for (const auto& [link, target] : links_)
        if (lies_in(at, link)) {
          at = (target.starts_with("/")
                    ? target
                    : parent_of(link) + (parent_of(link) == "/" ? "" : "/") + target) +
               at.substr(link.size());
          changed = true;
          break;
        }
      if (!changed) break;
    }
    return type(at) == Type::kMissing ? std::nullopt : std::optional(at);
  }
  std::optional<std::string> environment(const std::string& name) const override {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string current_folder() const override { return current_; }
  std::string home() const override { return environment("HOME").value_or(""); }

 private:
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> links_;
  std::map<std::string, bool> folders_;
  std::set<std::string> placeholders_;
  std::map<std::string, std::string> variables_;
  std::string current_ = "/home/ann/bot";
};

inline Request script(const std::string& path) {
  Request request;
  request.command = {path, "--fast"};
  request.is_script = true;
  request.session_id = "s-1";
  request.profile = profile_for("");
  return request;
}
inline Request command(std::vector<std::string> words) {
  Request request;
  request.command = std::move(words);
  request.session_id = "s-1";
  request.profile = profile_for("");
  return request;
}

inline const Mount* find(const Plan& plan, const std::string& target) {
  for (const auto& mount : plan.mounts)
    if (mount.target == target) return &mount;
  return nullptr;
}

}  // namespace aispm::sandbox
