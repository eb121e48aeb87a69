// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/real_host.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "sandbox/apply/placeholders.hpp"
#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

Host::Type RealHost::type(const std::string& path) const {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return Type::kMissing;
  if (S_ISREG(status.st_mode)) return Type::kFile;
  if (S_ISDIR(status.st_mode)) return Type::kFolder;
  if (S_ISLNK(status.st_mode)) return Type::kSymlink;
  return Type::kOther;
}

bool RealHost::is_placeholder(const std::string& path) const {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && sandbox::is_placeholder(status);
}

bool RealHost::is_executable(const std::string& path) const {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & 0111) != 0 &&
         ::access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> RealHost::read_link(const std::string& path) const {
  char text[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), text, sizeof(text));
  if (size < 0 || size == static_cast<ssize_t>(sizeof(text))) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(size));
}

std::optional<std::string> RealHost::read_start(const std::string& path,
                                                std::size_t limit_bytes) const {
  if (const auto real = resolve(path); !real || type(*real) != Type::kFile) return std::nullopt;
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::string text(limit_bytes, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> RealHost::resolve(const std::string& path) const {
  const CPtr<char, std::free> real(::realpath(path.c_str(), nullptr));
  if (!real) return std::nullopt;
  return std::string(real.get());
}

std::optional<std::string> RealHost::environment(const std::string& name) const {
  for (const auto& pair : environment_)
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  return std::nullopt;
}

std::string RealHost::current_folder() const {
  char text[PATH_MAX];
  // "(unreachable)/..." for a folder outside of our root, an error for a deleted one: neither may
  // become a mount source.
  if (::getcwd(text, sizeof(text)) == nullptr || text[0] != '/') return "/";
  return text;
}

std::string RealHost::home() const {
  const auto named = environment("HOME");
  if (named && named->starts_with("/")) return resolve(*named).value_or(*named);
  return "";
}

}  // namespace aispm::sandbox
