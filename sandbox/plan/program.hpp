// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/model/host.hpp"
#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// What will be run, and what of the host it needs to see for that.
struct Program {
  std::string executable;  // path as it will be executed
  std::vector<std::string> argv;
  std::string script;                     // agent.py, agent.js; empty for what runs itself
  std::string script_folder;              // folder of agent.py, empty for commands
  std::vector<std::string> read_only;     // paths to share read-only, besides the system's own
  std::vector<std::string> path_folders;  // put in front of PATH
  std::vector<std::string> notes;
  std::string virtual_env;
};

// Finds the command on PATH, or the interpreter of a Python script: --python, $VIRTUAL_ENV, the
// script's `#!`, python3 on PATH. Interpreters outside of /usr (virtual environments, pyenv, nvm)
// are followed link by link and their prefixes shared. kNotFound when there is no such program
// (exit 127), kDenied when it is not executable (exit 126).
Result<Program> find_program(const Host& host, const Request& request);

// True for folders that usually hold secrets or everything: /, /etc, /proc, home folders and what
// contains them.
bool is_sensitive(const Host& host, const std::string& path);

// True for /usr and what distributions link into it: shared with every agent.
bool is_system_path(const std::string& path);

// "/a/b" of "/a/b/c"; "/" of "/c".
std::string parent_of(const std::string& path);
// True when `path` is `folder` or lies below it.
bool lies_in(const std::string& path, const std::string& folder);
// Makes a path absolute against the caller's folder and removes "." and ".." by text.
std::string absolute(const Host& host, const std::string& path);

}  // namespace aispm::sandbox
