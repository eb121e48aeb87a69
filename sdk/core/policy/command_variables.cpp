// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/command_variables.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

// What a shell, a loader or an interpreter runs or reads first, and what tools start for pagers,
// editors, transports, compilers and passwords.
constexpr std::array<std::string_view, 93> kVariables = {"PATH",
                                                         "IFS",
                                                         "ENV",
                                                         "PS0",
                                                         "PS1",
                                                         "PS4",
                                                         "PROMPT_COMMAND",
                                                         "SHELLOPTS",
                                                         "CDPATH",
                                                         "HOME",
                                                         "SHELL",
                                                         "EXECIGNORE",
                                                         "GLOBIGNORE",
                                                         "INPUTRC",
                                                         "ZDOTDIR",
                                                         "HISTFILE",
                                                         "EDITOR",
                                                         "VISUAL",
                                                         "FCEDIT",
                                                         "LESSEDIT",
                                                         "PAGER",
                                                         "MANPAGER",
                                                         "MANROFFOPT",
                                                         "BAT_PAGER",
                                                         "PSQL_PAGER",
                                                         "PSQLRC",
                                                         "LESS",
                                                         "LESSOPEN",
                                                         "LESSCLOSE",
                                                         "BROWSER",
                                                         "TAR_OPTIONS",
                                                         "RSYNC_RSH",
                                                         "CVS_RSH",
                                                         "SVN_SSH",
                                                         "SSH_ASKPASS",
                                                         "SUDO_ASKPASS",
                                                         "SUDO_EDITOR",
                                                         "HGRCPATH",
                                                         "HGEDITOR",
                                                         "KUBECONFIG",
                                                         "KUBE_EDITOR",
                                                         "CURL_HOME",
                                                         "WGETRC",
                                                         "NODE_OPTIONS",
                                                         "NODE_PATH",
                                                         "PERL5LIB",
                                                         "PERL5OPT",
                                                         "PERL5DB",
                                                         "PERLLIB",
                                                         "RUBYOPT",
                                                         "RUBYLIB",
                                                         "RUBYSHELL",
                                                         "JAVA_TOOL_OPTIONS",
                                                         "JDK_JAVA_OPTIONS",
                                                         "_JAVA_OPTIONS",
                                                         "JAVA_HOME",
                                                         "JAVA_OPTS",
                                                         "CLASSPATH",
                                                         "MAVEN_OPTS",
                                                         "MAVEN_ARGS",
                                                         "GRADLE_OPTS",
                                                         "ANT_OPTS",
                                                         "PHPRC",
                                                         "PHP_INI_SCAN_DIR",
                                                         "R_PROFILE",
                                                         "R_PROFILE_USER",
                                                         "R_ENVIRON",
                                                         "R_ENVIRON_USER",
                                                         "GOFLAGS",
                                                         "GOROOT",
                                                         "GOTOOLCHAIN",
                                                         "RUSTC",
                                                         "RUSTFLAGS",
                                                         "RUSTDOC",
                                                         "RUSTC_WRAPPER",
                                                         "RUSTC_WORKSPACE_WRAPPER",
                                                         "RUSTUP_TOOLCHAIN",
                                                         "MAKEFLAGS",
                                                         "MAKEFILES",
                                                         "GNUMAKEFLAGS",
                                                         "CC",
                                                         "CXX",
                                                         "CFLAGS",
                                                         "CXXFLAGS",
                                                         "LDFLAGS",
                                                         "COMPILER_PATH",
                                                         "GCC_EXEC_PREFIX",
                                                         "GCONV_PATH",
                                                         "GLIBC_TUNABLES",
                                                         "LOCPATH",
                                                         "HOSTALIASES",
                                                         "TERMINFO",
                                                         "TMPDIR"};
constexpr std::array<std::string_view, 19> kPrefixes = {
    "BASH",    "LD_",  "DYLD_",  "GIT_",    "PYTHON",  "npm_config_", "NPM_CONFIG_",
    "PIP_",    "UV_",  "CARGO_", "OPENSSL", "DOCKER_", "LUA_",        "JULIA_",
    "BUNDLE_", "GEM_", "XDG_",   "ANSIBLE", "SYSTEMD_"};
// Variables that bash computes as it assigns them: the index of an array in the value is expanded.
constexpr std::array<std::string_view, 11> kIntegers = {
    "RANDOM", "SRANDOM",      "SECONDS",       "OPTIND",   "OPTERR",   "HISTCMD",
    "LINENO", "EPOCHSECONDS", "EPOCHREALTIME", "FUNCNEST", "MAILCHECK"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

bool changes_programs(std::string_view variable) {
  return contains(kVariables, variable) ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

bool runs_commands(const ShellAssignment& assignment) {
  if (!contains(kIntegers, assignment.name)) return false;
  return !assignment.value.is_fixed ||
         assignment.value.text.find_first_not_of("0123456789") != std::string::npos;
}

}  // namespace aispm::policy
