// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/prepare.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "sandbox/child.hpp"
#include "sandbox/model/sha256.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/profiles.hpp"
#include "sandbox/requirements/recipe.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {
namespace {

constexpr const char* kKeyVersion = "requirements 1";
constexpr const char* kLogFile = "build.log";
constexpr std::size_t kMaxReportBytes = 64U << 20;
constexpr std::size_t kMaxLogBytes = 16U << 20;
constexpr std::size_t kTailBytes = 2000;
constexpr unsigned kLookMilliseconds = 50;
constexpr unsigned kMeasureEvery = 20;  // looks

void say(const std::string& text) { std::cerr << "aispm-run: " << text << "\n"; }

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The file, read once.
struct Source {
  Ecosystem ecosystem = Ecosystem::kPython;
  std::string name;
  std::string text;
  std::string lock;
};

Result<Source> read_source(const std::string& path) {
  Source source;
  source.name = path;
  const std::string base = base_of(path);
  const bool is_node = base == "package.json";
  if (!is_node && base != "pyproject.toml" && !base.ends_with(".txt") && !base.ends_with(".in"))
    return fail(Errc::kInvalid, "--requirements " + path +
                                    ": must be requirements.txt (any name that ends so), "
                                    "pyproject.toml or package.json");
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return fail(Errc::kInvalid, "--requirements " + path + ": no such file");
  AISPM_TRY(source.text, read_file(path, kMaxRequirementsBytes));
  if (!is_node) return source;
  source.ecosystem = Ecosystem::kNode;
  auto lock = read_file(path.substr(0, path.size() - 5) + "-lock.json", kMaxLockBytes);
  if (!lock)
    return fail(Errc::kInvalid, path +
                                    ": needs its package-lock.json beside it (npm install "
                                    "--package-lock-only): " +
                                    lock.error().message);
  source.lock = std::move(*lock);
  return source;
}

Result<Requirements> parse(const Source& source, const Index& index) {
  if (source.ecosystem == Ecosystem::kNode)
    return parse_package_json(source.text, source.lock, source.name, index.url);
  if (base_of(source.name) == "pyproject.toml") return parse_pyproject(source.text, source.name);
  return parse_requirements_txt(source.text, source.name);
}

// The interpreter that will run the agent; npm where it runs by node.
Result<std::string> find_interpreter(const Host& host, const Request& request,
                                     Ecosystem ecosystem) {
  const bool is_python = ecosystem == Ecosystem::kPython;
  AISPM_TRY(const Program agent, find_program(host, request));
  if (is_python && base_of(agent.executable).starts_with("python")) return agent.executable;
  Request other;
  other.command = {!is_python ? "npm" : request.python.empty() ? "python3" : request.python};
  auto program = find_program(host, other);
  if (!program)
    return fail(Errc::kUnsupported,
                "--requirements needs " + other.command[0] + ": " + program.error().message);
  return program->executable;
}

// Changes whenever the interpreter is replaced. Nothing is run to find out.
Result<std::string> identify(const Host& host, const std::string& interpreter) {
  const std::string real = host.resolve(interpreter).value_or(interpreter);
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0) return fail_errno("stat " + real);
  return interpreter + " " + real + " " + std::to_string(status.st_ino) + " " +
         std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

std::string make_key(const Source& source, const Index& index, bool build_from_source,
                     const std::string& interpreter) {
  Sha256 hash;
  for (const std::string& part :
       {std::string(kKeyVersion), std::string(base_of(source.name) == "pyproject.toml" ? "t" : "r"),
        index.url + index.folder, std::string(build_from_source ? "s" : "b"), interpreter,
        source.text, source.lock}) {
    hash.add(std::to_string(part.size()) + ":");
    hash.add(part);
  }
  return hash.finish();
}

// Waits, and ends a build that writes more than it may: the sandbox dies with its launcher.
Result<int> await_build(ChildLaunch& build, const Staging& staging, const TreeLimits& limits) {
  for (unsigned look = 1;; ++look) {
    if (const auto ended = build.ended(false)) return *ended;
    if (look % kMeasureEvery == 0) {
      if (auto size = measure_tree(staging.folder(), limits); !size) {
        build.kill();
        (void)build.ended(true);
        return fail(Errc::kTooLarge, "it was ended: " + size.error().message);
      }
    }
    ::usleep(kLookMilliseconds * 1000);
  }
}

// All that the build says goes to the log, for the agent's own output is nobody else's.
Result<ChildLaunch> start_build(const Host& host, const LaunchOptions& build,
                                const Staging& staging) {
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd log(::openat(staging.folder(), kLogFile,
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC,
                              0600));
  if (!nothing || !log) return fail_errno("open the build's log");
  return ChildLaunch::start(host, build, nothing.get(), log.get(), log.get());
}

std::string last_words(const Staging& staging) {
  const auto log = staging.read(kLogFile, kMaxLogBytes);
  if (!log) return "(its log cannot be read: " + log.error().message + ")";
  std::string text = log->substr(log->size() - std::min(log->size(), kTailBytes));
  for (char& c : text)
    if (c != '\n' && (static_cast<unsigned char>(c) < ' ' || c == '\x7f')) c = '?';
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

struct Job {
  const Host& host;
  const LaunchOptions& launch;
  const RequirementsOptions& options;
  Cache& cache;
  Recipe recipe;
};

Result<> run_in_sandbox(const Job& job, const Staging& staging, const Profile& profile) {
  const Recipe& recipe = job.recipe;
  const bool is_python = recipe.requirements.ecosystem == Ecosystem::kPython;
  LaunchOptions build;
  AISPM_TRY(build.request, make_build_request(recipe, staging.path(), profile));
  build.request.agent = agent_name(job.launch.request);
  build.request.session_id = make_uuid();
  build.events_path = job.launch.events_path;
  if (recipe.index.folder.empty()) build.request.gateway_socket = job.launch.request.gateway_socket;
  build.needs_all_hosts = recipe.index.folder.empty();
  AISPM_CHECK(
      write_file_atomically(staging.path() + "/" + (is_python ? kInputFile : "package.json"),
                            recipe.requirements.text, 0644));
  if (!is_python)
    AISPM_CHECK(write_file_atomically(staging.path() + "/package-lock.json",
                                      recipe.requirements.lock, 0644));
  say("resolving " + std::to_string(recipe.requirements.count) + " requirements of " +
      job.options.file + " in a sandbox; later runs find them in the cache");
  AISPM_TRY(ChildLaunch child, start_build(job.host, build, staging));
  TreeLimits limits;
  limits.bytes = profile.limits.disk_bytes == 0 ? limits.bytes : profile.limits.disk_bytes;
  auto code = await_build(child, staging, limits);
  if (!code)
    return fail(Errc::kUnavailable, "the packages of " + job.options.file +
                                        " could not be fetched: " + code.error().message);
  if (*code != 0)
    return fail(Errc::kUnavailable,
                "the packages of " + job.options.file + " could not be installed (exit code " +
                    std::to_string(*code) + "). It said:\n" + last_words(staging));
  return {};
}

Result<HeldSet> build(const Job& job, const std::string& key) {
  const bool is_node = job.recipe.requirements.ecosystem == Ecosystem::kNode;
  if (job.recipe.index.folder.empty() && job.launch.request.gateway_socket.empty())
    return fail(Errc::kUnavailable, job.options.file +
                                        ": not in the cache, and this run has no network. Run it "
                                        "once without --offline, or give --index a folder");
  AISPM_TRY(const Profile profile, load_profile("build"));
  AISPM_TRY(const auto staging, job.cache.make_staging());
  AISPM_CHECK(run_in_sandbox(job, *staging, profile));
  Resolved resolved;
  if (is_node) {
    AISPM_TRY(const std::string identity, identify(job.host, job.recipe.interpreter));
    resolved = {identity, job.recipe.requirements.packages};
  } else {
    AISPM_TRY(const std::string report, staging->read(kReportFile, kMaxReportBytes));
    AISPM_TRY(resolved, parse_pip_report(report));
  }
  const std::string output = output_folder(job.recipe.requirements.ecosystem);
  UniqueFd folder(
      ::openat(staging->folder(), output.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return fail_errno("the build left no packages: open " + output);
  AISPM_TRY(const SealedTree sealed, seal_tree(folder.get(), !is_node, TreeLimits{}));
  for (const auto& name : sealed.left_out)
    say("note: " + name + " of the packages is left out: it would run in every interpreter");
  return job.cache.put(key, is_node, *staging, output, resolved.environment, sealed,
                       std::move(resolved.packages));
}

}  // namespace

std::string cache_folder(const Host& host) {
  if (const auto named = host.environment("AISPM_CACHE"); named && named->starts_with('/'))
    return *named;
  if (::geteuid() == 0) return "/var/cache/aispm";
  const auto caches = host.environment("XDG_CACHE_HOME");
  return (caches && caches->starts_with('/') ? *caches : host.home() + "/.cache") + "/aispm";
}

Result<HeldSet> prepare_requirements(const Host& host, const LaunchOptions& launch,
                                     const RequirementsOptions& options) {
  AISPM_TRY(const Source source, read_source(options.file));
  const bool is_folder = !options.index.empty() && options.index.find("://") == std::string::npos;
  AISPM_TRY(Index index, parse_index(is_folder ? absolute(host, options.index) : options.index,
                                     source.ecosystem));
  if (is_folder && !host.resolve(index.folder))
    return fail(Errc::kInvalid, "--index " + options.index + ": no such folder");
  if (is_folder) index.folder = *host.resolve(index.folder);
  AISPM_TRY(const std::string interpreter,
            find_interpreter(host, launch.request, source.ecosystem));
  AISPM_TRY(const std::string identity, identify(host, interpreter));
  const std::string key = make_key(source, index, options.build_from_source, identity);
  const bool is_node = source.ecosystem == Ecosystem::kNode;
  AISPM_TRY(Cache cache, Cache::open(cache_folder(host) + "/requirements"));
  if (auto found = cache.find(key, is_node)) return std::move(*found);
  // Somebody, or the disk, has changed what agents would have run.
  if (!cache.discarded().empty())
    say("warning: the packages kept for " + options.file +
        " are not what was put there and are made anew: " + cache.discarded());
  AISPM_TRY(Requirements requirements, parse(source, index));
  if (requirements.count == 0) return HeldSet{};
  AISPM_TRY(const UniqueFd turn, cache.lock_key(key));
  if (auto found = cache.find(key, is_node)) return std::move(*found);  // built while we waited
  Job job{host,
          launch,
          options,
          cache,
          {std::move(requirements), index, interpreter, options.build_from_source}};
  return build(job, key);
}

}  // namespace aispm::sandbox
