// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <exception>
#include <iostream>
#include <set>

#include "sandbox/apply/real_host.hpp"
#include "sandbox/check/check.hpp"
#include "sandbox/doctor.hpp"
#include "sandbox/launch.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/profiles.hpp"
#include "sandbox/requirements/lineage.hpp"
#include "sandbox/requirements/prepare.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {
namespace {

constexpr const char* kDescription =
    "Runs an AI agent in a sandbox whose only way out is the AISPM gateway. Works as any user, "
    "needs no privilege.\n\n"
    "  aispm-run [OPTIONS] agent.py|agent.js|PROGRAM [ARGS...]\n"
    "  aispm-run [OPTIONS] -- COMMAND [ARGS...]\n"
    "  aispm-run check [--sdk] [--json] [OPTIONS] agent.py\n"
    "  aispm-run doctor | cache list|prune|check";
constexpr const char* kFooter = R"(
Examples:
  aispm-run agent.py --topic news          a Python agent; options after it are the agent's
  aispm-run -- ./bot serve                 any command
  aispm-run -- claude                      a coding agent: it may change the folder you are in, but not what runs later
                                           (.git/hooks, .vscode, ...), and has a home of its own (profile coding-agent)
  aispm-run --workspace . -- bash          a shell that may change this folder
  aispm-run --ro ~/data --memory 1GiB --timeout 10m agent.py
  aispm-run --offline --events out.jsonl agent.py   no network at all, what it tried goes to a file
  aispm-run --requirements requirements.txt agent.py   with packages of its own; `aispm-run cache list|prune|check`
  aispm-run check --sdk agent.py           is it one that can start? UTF-8, syntax, `async def main`, imported in its sandbox without network
                                           (exit code 0 valid, 1 invalid; --json for machines)
  aispm-run --dry-run agent.py             print the plan, run nothing
  aispm-run doctor                         what this host can do, and how to mend what it cannot

Inside, OPENAI_BASE_URL and ANTHROPIC_BASE_URL lead to the gateway and keys are placeholders, so unmodified SDKs work.
Every other connection, name lookup and system call outside of the allow-list is refused at once and reported.

At a terminal the program has one of its own, with job control; other output is copied through unchanged, and its lines are
reported (one of the form {"event":"aispm.log","level":"info","message":"...","fields":{...}} with its level and fields).

Exit code: the program's own; 128+n if signal n ended it (137: also when the memory limit did); 124 at --timeout; 123 if
another limit ended it (processor time, output, file size) or it ended well and its output could not be written; 125 if the sandbox or the
gateway is not available or too many runs are there (nothing ran); 126/127 if the program cannot be executed or found, 126 also
if the gateway's policy does not permit the run (sandbox.yaml); 2 for wrong usage or a wrong profile. Every limit that was reached is named on standard error and in the sandbox_exit event.)";

struct Options {
  LaunchOptions launch;
  RequirementsOptions requirements;
  std::string profile;
  std::string gateway;
  std::string memory;
  std::string pids;
  std::string cpu_time;
  std::string wall_time;
  std::string cpus;
  std::string output;
  std::string workspace_limit;
  std::string isolation;
  bool offline = false;
  bool doctor = false;
  bool is_check = false;
  bool needs_main = false;
  bool as_json = false;
  bool uses_pool = false;
};

std::string names_of_profiles() {
  std::string names;
  for (const auto& profile : built_in_profiles())
    names += (names.empty() ? "" : ", ") + std::string(profile.name);
  return names;
}

void declare(CLI::App& app, Options& options) {
  Request& request = options.launch.request;
  app.add_option("--agent", request.agent, "Name of the agent (default: the program's base name)");
  app.add_option("--gateway", options.gateway,
                 "Unix socket of the gateway (default: $AISPM_GATEWAY_SOCKET or "
                 "/var/lib/aispm/run/gateway.sock)");
  app.add_option("--parent", options.launch.parent_session,
                 "Session of the run of yours that this one runs for: it has no more rights, and "
                 "stands still with it (default: the run in whose environment this is called)");
  app.add_flag("--offline", options.offline, "No gateway: no network at all");
  app.add_option("--events", options.launch.events_path,
                 "Append every event to this file as JSON lines");
  app.add_option(
      "--profile", options.profile,
      "Sandbox profile: " + names_of_profiles() +
          ", or a YAML file (default: coding-agent for claude, codex, opencode and gemini, "
          "node for node and agent.js, else default)");
  app.add_option("--isolation", options.isolation,
                 "kernel, or gvisor: gVisor's runsc between the program and this kernel "
                 "(default: as the profile says)")
      ->check(CLI::IsMember({"kernel", "gvisor"}));
  app.add_option("--workspace,--workdir", request.workspace,
                 "Folder the program may change, and where it starts");
  app.add_option("--ro", request.read_only, "Share this path read-only (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--rw", request.read_write, "Share this path read-write (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--env", request.environment, "Pass NAME, or set NAME=VALUE (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--python", request.python,
                 "Interpreter for agent.py (default: $VIRTUAL_ENV, the script's #!, python3)");
  app.add_option("--memory", options.memory, "Memory limit, e.g. 1GiB (default 512MiB; 0: none)");
  app.add_option("--pids", options.pids, "Most processes and threads (default 256)");
  app.add_option(
      "--cpu-time", options.cpu_time,
      "Processor time, e.g. 90s: of the whole sandbox where a control group counts it, else "
      "of each process");
  app.add_option("--cpus", options.cpus, "Processors' worth of time, e.g. 0.5");
  app.add_option("--output", options.output,
                 "Most bytes it may write to standard output and error, e.g. 10MiB; more ends it");
  app.add_option(
      "--workspace-limit", options.workspace_limit,
      "Most that the workspace may hold, with what is in it, e.g. 2GiB: a project quota, "
      "so as root, on ext4 or XFS with prjquota; else the run is refused");
  app.add_option("--timeout,--wall-time", options.wall_time,
                 "Time from start to end, e.g. 10m; then SIGTERM, 2 s later SIGKILL");
  RequirementsOptions& requirements = options.requirements;
  app.add_option("--requirements", requirements.file,
                 "Packages to install: requirements.txt, pyproject.toml, or package.json with its "
                 "lock. Fetched in a sandbox of their own, kept, and shared read-only")
      ->type_name("FILE");
  app.add_option("--index", requirements.index,
                 "Where packages come from: https://HOST/PATH, or a folder of wheels (default: "
                 "PyPI, npm's registry)");
  app.add_flag("--dangerously-build-packages", requirements.build_from_source,
               "Let packages run their own code (setup.py, install scripts) while they are "
               "installed, in that sandbox");
  app.add_flag("--pool", options.uses_pool,
               "Take a sandbox that waits in the warm pool, where there is one for this; else "
               "start cold");
  app.add_option("--pool-socket", options.launch.pool_socket,
                 "The pool (default: $AISPM_POOL_SOCKET or /var/lib/aispm/run/pool.sock)")
      ->needs("--pool");
  app.add_flag("--verbose", options.launch.is_verbose, "Say how the sandbox was started");
  app.add_flag("--dry-run", options.launch.dry_run, "Print the plan and run nothing");
  app.add_flag("--doctor", options.doctor,
               "As `aispm-run doctor`: what this host can do, and how to mend what it cannot");
  if (options.is_check) {
    app.add_flag("--sdk", options.needs_main, "The agent must have a top-level `async def main`");
    app.add_flag("--json", options.as_json, "Give the verdict as JSON");
  }
  app.set_version_flag("--version", std::string("aispm-run ") + AISPM_VERSION);
}

// Everything from the program's name on is the program's. Gives the index of the first word that is
// not ours.
int split(const CLI::App& app, int argc, char** argv, bool& is_script) {
  std::set<std::string> takes_value;
  for (const CLI::Option* option : app.get_options())
    if (option->get_expected_max() != 0)
      for (const auto& name : option->get_lnames()) takes_value.insert("--" + name);
  is_script = true;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") {
      is_script = false;
      return i;
    }
    if (!word.starts_with("-")) return i;
    if (takes_value.contains(word)) ++i;
  }
  return argc;
}

// An option whose value is empty, as from a variable that is not set: taken for one that is not
// given, it would lift a limit or lose the events.
std::string option_without_value(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    for (const auto& value : option->results())
      if (value.empty()) return option->get_name();
  return "";
}

// Where homes that are kept lie: a folder for each agent.
std::string kept_home(const Host& host, const std::string& agent) {
  std::string folder = "/var/lib/aispm/homes/";
  if (::geteuid() != 0)
    folder = host.environment("XDG_STATE_HOME").value_or(host.home() + "/.local/state") +
             "/aispm/homes/";
  std::string name = agent;
  for (char& c : name)
    if (c == '/') c = '%';
  // Never "." or ".."; no name has a %, so no two agents share one.
  return folder + "home." + name;
}

bool is_uuid_text(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const auto fits = [](char form, char c) {
    return form == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
  };
  return text.size() == kForm.size() && std::equal(kForm.begin(), kForm.end(), text.begin(), fits);
}

// A run's environment names the run: who calls us in it runs for it.
Result<> choose_parent(Options& options, const Host& host) {
  std::string& parent = options.launch.parent_session;
  const bool is_offline = options.launch.request.gateway_socket.empty();
  if (!parent.empty() && is_offline)
    return fail(Errc::kInvalid, "--parent: only a gateway binds runs to each other");
  if (parent.empty() && !is_offline && host.environment("AISPM_AGENT_ID"))
    parent = host.environment("AISPM_SESSION_ID").value_or("");
  if (!parent.empty() && !is_uuid_text(parent))
    return fail(Errc::kInvalid,
                "--parent " + parent + ": must be the session of a run (AISPM_SESSION_ID in it)");
  return {};
}

Result<> complete(Options& options, const Host& host) {
  Request& request = options.launch.request;
  if (!options.profile.empty()) {
    auto profile = load_profile(options.profile);
    if (!profile) return fail(Errc::kInvalid, profile.error().message);
    request.profile = std::move(*profile);
  } else {
    const std::string program = request.command.empty() ? "" : request.command[0];
    request.profile = profile_for(std::string_view(program).substr(program.rfind('/') + 1));
  }
  if (!options.isolation.empty())
    request.profile.isolation =
        options.isolation == "gvisor" ? Isolation::kGvisor : Isolation::kKernel;
  Limits& limits = request.profile.limits;
  if (!options.memory.empty()) AISPM_CHECK(set_limit(limits, "memory", options.memory));
  if (!options.pids.empty()) AISPM_CHECK(set_limit(limits, "pids", options.pids));
  if (!options.cpu_time.empty()) AISPM_CHECK(set_limit(limits, "cpu_time", options.cpu_time));
  if (!options.wall_time.empty()) AISPM_CHECK(set_limit(limits, "wall_time", options.wall_time));
  if (!options.cpus.empty()) AISPM_CHECK(set_limit(limits, "cpus", options.cpus));
  if (!options.output.empty()) AISPM_CHECK(set_limit(limits, "output", options.output));
  if (!options.workspace_limit.empty())
    AISPM_CHECK(set_limit(limits, "workspace", options.workspace_limit));
  if (request.profile.is_offline && !options.gateway.empty())
    return fail(Errc::kInvalid, "--gateway: profile " + request.profile.name +
                                    " has no network (network.mode: none)");
  if (!options.offline && !request.profile.is_offline) {
    request.gateway_socket =
        !options.gateway.empty()
            ? options.gateway
            : host.environment("AISPM_GATEWAY_SOCKET").value_or("/var/lib/aispm/run/gateway.sock");
  }
  AISPM_CHECK(choose_parent(options, host));
  if (options.uses_pool && options.launch.pool_socket.empty())
    options.launch.pool_socket =
        host.environment("AISPM_POOL_SOCKET").value_or("/var/lib/aispm/run/pool.sock");
  request.session_id = make_uuid();
  if (request.profile.home == Home::kKept) request.kept_home = kept_home(host, agent_name(request));
  return {};
}

// Gives what must stay open while the run lasts.
Result<UniqueFd> add_packages(Options& options, const Host& host) {
  if (options.requirements.file.empty()) {
    if (options.requirements.index.empty() && !options.requirements.build_from_source)
      return UniqueFd();
    return fail(Errc::kInvalid,
                "--index and --dangerously-build-packages belong to --requirements FILE");
  }
  auto held = prepare_requirements(host, options.launch, options.requirements);
  if (!held) {
    const auto untold = report_refusal(options.launch.request, options.launch.events_path,
                                       "requirements", held.error().message);
    if (!untold.empty())
      std::cerr << "aispm-run: warning: this could not be reported: " << untold << "\n";
    return fail(held.error());
  }
  options.launch.request.packages = std::move(held->set);
  return std::move(held->hold);
}

int exit_code_for(const Error& error) {
  switch (error.code) {
    case Errc::kInvalid:
      return kExitUsage;
    case Errc::kNotFound:
      return kExitNotFound;
    case Errc::kDenied:
      return kExitNotExecutable;
    default:
      return kExitSandbox;
  }
}

Result<Verdict> check(Options& options, const Host& host, UniqueFd& hold) {
  const Request& request = options.launch.request;
  if (!request.is_script)
    return fail(Errc::kInvalid, "check takes a file: aispm-run check agent.py");
  AISPM_TRY(Verdict source, check_file(request.command[0]));
  if (!source.is_valid) return source;
  AISPM_TRY(hold, add_packages(options, host));
  return check_in_sandbox(host, options.launch, {options.needs_main}, std::move(source));
}

int run_check(Options& options, const Host& host) {
  UniqueFd packages;
  const auto verdict = check(options, host, packages);
  if (!verdict) {
    std::cerr << "aispm-run: " << verdict.error().message << "\n";
    return exit_code_for(verdict.error());
  }
  const std::string& file = options.launch.request.command[0];
  std::cout << (options.as_json ? to_json(*verdict, file) : to_text(*verdict, file)) << "\n";
  return verdict->is_valid ? 0 : 1;
}

int run(int argc, char** argv, char** envp) {
  std::vector<std::string> environment;
  for (char** pair = envp; *pair != nullptr; ++pair) environment.emplace_back(*pair);
  const RealHost host(std::move(environment));
  if (argc > 2 && std::string_view(argv[1]) == "cache")
    return run_cache_command(host, argc - 1, argv + 1);
  CLI::App app(kDescription, "aispm-run");
  app.footer(kFooter);
  Options options;
  options.is_check = argc > 2 && std::string_view(argv[1]) == "check";
  if (options.is_check) {
    --argc;
    ++argv;
  }
  declare(app, options);
  Request& request = options.launch.request;
  const int first = split(app, argc, argv, request.is_script);
  try {
    app.parse(first, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (const std::string name = option_without_value(app); !name.empty()) {
    std::cerr << "aispm-run: " << name << ": its value is empty. Give one, or leave it out\n";
    return kExitUsage;
  }
  for (int i = request.is_script ? first : first + 1; i < argc; ++i)
    request.command.emplace_back(argv[i]);
  const bool is_doctor_word =
      request.is_script && request.command == std::vector<std::string>{"doctor"};
  if (is_doctor_word) request.command.clear();
  if (options.doctor || is_doctor_word) {
    if (auto completed = complete(options, host); !completed) {
      std::cerr << "aispm-run: " << completed.error().message << "\n";
      return kExitUsage;
    }
    return run_doctor(host, request.gateway_socket);
  }
  if (request.command.empty() || request.command[0].empty()) {
    std::cerr << "aispm-run: nothing to run. Try: aispm-run agent.py, aispm-run -- COMMAND, "
                 "aispm-run --help\n";
    return kExitUsage;
  }
  if (auto completed = complete(options, host); !completed) {
    std::cerr << "aispm-run: " << completed.error().message << "\n";
    return kExitUsage;
  }
  if (options.is_check) return run_check(options, host);
  const auto packages = add_packages(options, host);
  if (!packages) {
    std::cerr << "aispm-run: " << packages.error().message << "\n";
    return exit_code_for(packages.error());
  }
  auto exit_code = launch(host, options.launch);
  if (exit_code) return *exit_code;
  std::cerr << "aispm-run: " << exit_code.error().message << "\n";
  return exit_code_for(exit_code.error());
}

}  // namespace
}  // namespace aispm::sandbox

int main(int argc, char** argv, char** envp) {
  // First of all: what the caller left open is neither ours nor the agent's.
  for (int fd = 0; fd <= 2; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
      return aispm::sandbox::kExitSandbox;
  if (::close_range(3, ~0U, 0) != 0) {
    std::cerr << "aispm-run: inherited descriptors cannot be closed (close_range, Linux 5.9)\n";
    return aispm::sandbox::kExitSandbox;
  }
  try {
    return aispm::sandbox::run(argc, argv, envp);
  } catch (const std::exception& bug) {
    std::cerr << "aispm-run: internal error: " << bug.what() << "\n";
    return aispm::sandbox::kExitSandbox;
  }
}
