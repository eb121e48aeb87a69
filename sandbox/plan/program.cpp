// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/program.hpp"

#include <algorithm>
#include <optional>

namespace aispm::sandbox {
namespace {

constexpr int kMaxLinks = 16;
constexpr std::size_t kMaxShebangBytes = 256;

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  while (from <= text.size()) {
    const std::size_t to = std::min(text.find(separator, from), text.size());
    if (to > from) parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

std::string trim(const std::string& text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

bool is_file(const Host& host, const std::string& path) {
  const auto real = host.resolve(path);
  return real && host.type(*real) == Host::Type::kFile;
}

// A pyenv shim is a shell script that needs all of pyenv; the interpreter it would choose is found
// by pyenv's own rules: $PYENV_VERSION, .python-version of the folder or above,
// $PYENV_ROOT/version.
std::optional<std::string> behind_pyenv_shim(const Host& host, const std::string& shim,
                                             const std::string& folder) {
  const std::string shims = parent_of(shim);
  if (base_of(shims) != "shims") return std::nullopt;
  const std::string root = parent_of(shims);
  std::vector<std::string> candidates;
  if (const auto version = host.environment("PYENV_VERSION")) candidates = split(*version, ':');
  for (std::string at = folder; candidates.empty(); at = parent_of(at)) {
    if (const auto text = host.read_start(at + "/.python-version", 256))
      candidates = split(*text, '\n');
    if (at == "/" || at.empty()) break;
  }
  if (candidates.empty())
    if (const auto text = host.read_start(root + "/version", 256)) candidates = split(*text, '\n');
  for (const auto& version : candidates) {
    const std::string name = trim(version);
    // A version is a folder's name; the file that says it may be the agent's own work.
    if (name.find('/') != std::string::npos || name == "." || name == "..") continue;
    const std::string path = root + "/versions/" + name + "/bin/" + base_of(shim);
    if (name != "system" && is_file(host, path)) return path;
  }
  return std::nullopt;
}

Result<std::string> find_on_path(const Host& host, const std::string& name,
                                 const std::string& folder) {
  if (name.find('/') != std::string::npos) {
    const std::string path = absolute(host, name);
    if (!is_file(host, path)) return fail(Errc::kNotFound, name + ": no such program");
    if (!host.is_executable(path))
      return fail(Errc::kDenied,
                  name + ": not executable (chmod +x, or run it by its interpreter)");
    return path;
  }
  bool found_unusable = false;
  for (const auto& entry :
       split(host.environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin"), ':')) {
    const std::string path = absolute(host, entry) + "/" + name;
    if (!is_file(host, path)) continue;
    if (!host.is_executable(path)) {
      found_unusable = true;
      continue;
    }
    if (base_of(parent_of(path)) != "shims") return path;
    if (const auto real = behind_pyenv_shim(host, path, folder)) return *real;
  }
  if (found_unusable) return fail(Errc::kDenied, name + ": found on PATH, but not executable");
  return fail(Errc::kNotFound, name + ": command not found on PATH");
}

bool looks_like_a_prefix(const Host& host, const std::string& folder, const std::string& program) {
  if (host.type(folder + "/pyvenv.cfg") == Host::Type::kFile) return true;
  if (host.type(folder + "/lib/node_modules") == Host::Type::kFolder) return true;
  return base_of(program).starts_with("python") &&
         host.type(folder + "/lib") == Host::Type::kFolder;
}

void share(Program& program, const std::string& path) {
  if (is_system_path(path)) return;
  for (const auto& have : program.read_only)
    if (lies_in(path, have)) return;
  program.read_only.push_back(path);
}

// Folders are judged by where they lead: links in a workspace are made by agents, and by who wrote
// the repository.
bool is_prefix(const Host& host, const std::string& folder, const std::string& program) {
  const auto real = host.resolve(folder);
  return real && !is_sensitive(host, *real) && looks_like_a_prefix(host, *real, program);
}

bool is_node_modules(const Host& host, const std::string& folder) {
  return base_of(host.resolve(folder).value_or("")) == "node_modules";
}

// Shares what `path` needs to be executed: every link on the way, and the interpreter's prefix
// around each.
Result<> share_executable(const Host& host, Program& program, std::string path) {
  for (int link = 0; link < kMaxLinks; ++link) {
    const std::string folder = parent_of(path);
    const std::string prefix = base_of(folder) == "bin" ? parent_of(folder) : folder;
    const auto modules = path.find("/node_modules/");  // npm's packages need each other
    if (base_of(folder) == "bin" && is_prefix(host, prefix, path)) {
      share(program, prefix);
      if (host.type(prefix + "/pyvenv.cfg") == Host::Type::kFile) program.virtual_env = prefix;
      if (!is_system_path(folder)) program.path_folders.push_back(folder);
    } else if (modules != std::string::npos &&
               is_node_modules(host, path.substr(0, modules) + "/node_modules")) {
      share(program, path.substr(0, modules) + "/node_modules");
    } else {
      share(program, path);
    }
    const auto target = host.read_link(path);
    if (!target) return {};
    path = absolute(host, target->starts_with("/") ? *target : folder + "/" + *target);
  }
  return fail(Errc::kInvalid, path + ": too many symbolic links");
}

// Interpreter named by `#!`, with /usr/bin/env looked through. Empty for anything else.
std::vector<std::string> read_shebang(const Host& host, const std::string& path) {
  const auto start = host.read_start(path, kMaxShebangBytes);
  if (!start || !start->starts_with("#!")) return {};
  auto words = split(trim(start->substr(2, start->find('\n') - 2)), ' ');
  if (words.size() >= 2 && base_of(words[0]) == "env") {
    words.erase(words.begin());
    if (words[0] == "-S") words.erase(words.begin());
  }
  return words;
}

Result<> share_interpreter_of(const Host& host, Program& program, const std::string& path) {
  const auto real = host.resolve(path);
  if (!real) return {};
  const auto words = read_shebang(host, *real);
  if (words.empty()) return {};
  auto interpreter = find_on_path(host, words[0], parent_of(*real));
  if (!interpreter)
    return fail(Errc::kNotFound, path + ": its interpreter: " + interpreter.error().message);
  return share_executable(host, program, *interpreter);
}

Result<std::string> find_python(const Host& host, const Request& request,
                                const std::string& script) {
  const std::string folder = parent_of(script);
  if (!request.python.empty()) return find_on_path(host, request.python, folder);
  if (const auto venv = host.environment("VIRTUAL_ENV");
      venv && is_file(host, *venv + "/bin/python3"))
    return absolute(host, *venv) + "/bin/python3";
  if (const auto words = read_shebang(host, script);
      !words.empty() && base_of(words[0]).starts_with("python"))
    if (auto named = find_on_path(host, words[0], folder)) return named;
  return find_on_path(host, "python3", folder);
}

enum class AgentKind { kPython, kNode, kExecutable };

// By its name; else by what it is: an executable file with an ELF head or a `#!` line runs itself.
AgentKind kind_of(const Host& host, const std::string& path) {
  for (const char* ending : {".js", ".mjs", ".cjs"})
    if (path.ends_with(ending)) return AgentKind::kNode;
  if (path.ends_with(".py") || !host.is_executable(path)) return AgentKind::kPython;
  const auto start = host.read_start(path, kMaxShebangBytes);
  if (!start) return AgentKind::kPython;
  if (start->starts_with("\x7f"
                         "ELF"))
    return AgentKind::kExecutable;
  const auto words = read_shebang(host, path);
  if (words.empty() || base_of(words[0]).starts_with("python")) return AgentKind::kPython;
  return base_of(words[0]) == "node" ? AgentKind::kNode : AgentKind::kExecutable;
}

Result<> find_interpreter(const Host& host, const Request& request, const std::string& real,
                          Program& program) {
  switch (kind_of(host, real)) {
    case AgentKind::kPython: {
      AISPM_TRY(program.executable, find_python(host, request, real));
      break;
    }
    case AgentKind::kNode: {
      AISPM_TRY(program.executable, find_on_path(host, "node", parent_of(real)));
      break;
    }
    case AgentKind::kExecutable:
      program.executable = real;
      program.argv = {real};
      return share_interpreter_of(host, program, real);
  }
  program.script = real;
  program.argv = {program.executable};
  program.argv.insert(program.argv.end(), request.before_script.begin(),
                      request.before_script.end());
  program.argv.push_back(real);
  return share_executable(host, program, program.executable);
}

// True when the agent may change what is in `folder`, which is resolved.
bool is_agents_to_change(const Host& host, const Request& request, const std::string& folder) {
  std::vector<std::string> given = request.read_write;
  given.insert(given.end(), request.profile.read_write.begin(), request.profile.read_write.end());
  if (!request.workspace.empty())
    given.push_back(request.workspace);
  else if (request.profile.current_folder_is_workspace)
    given.push_back(host.current_folder());
  return std::any_of(given.begin(), given.end(), [&](const std::string& path) {
    const auto real = host.resolve(absolute(host, path));
    return real && lies_in(folder, *real);
  });
}

Result<Program> find_script(const Host& host, const Request& request) {
  Program program;
  const std::string script = absolute(host, request.command[0]);
  const auto real = host.resolve(script);
  if (!real || host.type(*real) != Host::Type::kFile)
    return fail(Errc::kNotFound, request.command[0] +
                                     ": no such file. To run a command: aispm-run -- " +
                                     request.command[0]);
  // The folder of a script is shared: a link that an agent made must not choose it.
  const auto folder = host.resolve(parent_of(script));
  if (folder && is_agents_to_change(host, request, *folder) &&
      !is_agents_to_change(host, request, *real))
    return fail(Errc::kInvalid, request.command[0] +
                                    ": is a link from where the agent may change " + "files to " +
                                    *real + ". If that is meant, name it instead");
  AISPM_CHECK(find_interpreter(host, request, *real, program));
  program.script_folder = parent_of(*real);
  if (is_sensitive(host, program.script_folder)) {
    share(program, *real);
    program.notes.push_back(
        program.script_folder + " is not shared because such folders hold secrets; only " +
        base_of(*real) + " is. Keep an agent in a folder of its own, or name files with --ro");
  } else {
    share(program, program.script_folder);
  }
  program.argv.insert(program.argv.end(), request.command.begin() + 1, request.command.end());
  return program;
}

}  // namespace

bool is_system_path(const std::string& path) {
  for (const char* folder : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"})
    if (lies_in(path, folder)) return true;
  return false;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

bool lies_in(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.starts_with("/");
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

std::string absolute(const Host& host, const std::string& path) {
  const std::string whole = path.starts_with("/") ? path : host.current_folder() + "/" + path;
  std::vector<std::string> parts;
  for (const auto& part : split(whole, '/')) {
    if (part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string result;
  for (const auto& part : parts) result += "/" + part;
  return result.empty() ? "/" : result;
}

bool is_sensitive(const Host& host, const std::string& path) {
  const std::string home = host.home();
  if (!home.empty() && home != "/" && lies_in(home, path)) return true;
  for (const char* part :
       {"/.ssh", "/.aws", "/.gnupg", "/.config", "/.kube", "/.docker", "/.local"})
    if (path == home + part || (std::string(part) != "/.local" && lies_in(path, home + part)))
      return true;
  // Of anybody, wherever that home is: root starts agents for others.
  for (const char* part : {"/.ssh/", "/.aws/", "/.gnupg/", "/.kube/"})
    if ((path + "/").find(part) != std::string::npos) return true;
  for (const char* folder : {"/", "/home", "/root", "/var", "/var/lib", "/opt", "/tmp", "/var/tmp",
                             "/mnt", "/media", "/srv"})
    if (path == folder) return true;
  for (const char* folder : {"/etc", "/proc", "/sys", "/dev", "/run", "/var/run", "/boot",
                             "/var/lib/aispm", "/var/spool", "/var/backups"})
    if (lies_in(path, folder)) return true;
  return path.starts_with("/home/") && path.find('/', 6) == std::string::npos;
}

Result<Program> find_program(const Host& host, const Request& request) {
  if (request.is_script) return find_script(host, request);
  Program program;
  AISPM_TRY(program.executable, find_on_path(host, request.command[0], host.current_folder()));
  AISPM_CHECK(share_executable(host, program, program.executable));
  AISPM_CHECK(share_interpreter_of(host, program, program.executable));
  program.argv = request.command;
  return program;
}

}  // namespace aispm::sandbox
