// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/recipe.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr const char* kDefaultPythonIndex = "https://pypi.org/simple";
constexpr const char* kDefaultNodeIndex = "https://registry.npmjs.org";
constexpr const char* kCertificates = "/etc/ssl/certs/ca-certificates.crt";

// Runs inside. Bytecode is made with the hash of its source and is never checked against it: the
// tree is read-only and its times mean nothing.
constexpr const char* kPythonSteps = R"(
import compileall, importlib.util, py_compile, subprocess, sys
if importlib.util.find_spec("pip") is None:
    sys.exit(sys.executable + " has no pip: install it (python3-pip; python -m ensurepip), or name another --python")
folder, inside, *pip = sys.argv[1:]
code = subprocess.call([sys.executable, "-I", "-m", "pip", *pip])
if code == 0:
    compileall.compile_dir(folder, quiet=2, stripdir=folder, prependdir=inside, maxlevels=40,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
sys.exit(code)
)";

std::vector<std::string> pip_words(const Recipe& recipe, const std::string& stage) {
  std::vector<std::string> words = {"--isolated",
                                    "--no-input",
                                    "--disable-pip-version-check",
                                    "--no-color",
                                    "--quiet",
                                    "--cert",
                                    kCertificates,
                                    "install",
                                    "--no-cache-dir",
                                    "--no-compile",
                                    "--no-warn-script-location",
                                    "--retries=1",
                                    "--timeout=30",
                                    "--target",
                                    stage + "/" + output_folder(Ecosystem::kPython),
                                    "--report",
                                    stage + "/" + kReportFile};
  if (!recipe.build_from_source) words.emplace_back("--only-binary=:all:");
  if (recipe.index.url.empty()) {
    words.insert(words.end(), {"--no-index", "--find-links", recipe.index.folder});
  } else {
    words.insert(words.end(), {"--index-url", recipe.index.url + "/"});
  }
  words.insert(words.end(), {"--requirement", stage + "/" + kInputFile});
  return words;
}

std::vector<std::string> npm_words(const Recipe& recipe, const std::string& stage) {
  std::vector<std::string> words = {"ci",
                                    "--prefix",
                                    stage,
                                    "--registry",
                                    recipe.index.url + "/",
                                    "--no-audit",
                                    "--no-fund",
                                    "--no-update-notifier",
                                    "--no-bin-links",
                                    "--omit=dev",
                                    "--install-strategy=hoisted",
                                    "--fetch-retries=1",
                                    "--loglevel=error"};
  if (!recipe.build_from_source) words.emplace_back("--ignore-scripts");
  return words;
}

Result<HostRule> rule_of(std::string_view url) {
  const auto rest = url.substr(kHttps.size());
  return parse_host_rule(rest.substr(0, rest.find('/')));
}

}  // namespace

const char* output_folder(Ecosystem ecosystem) {
  return ecosystem == Ecosystem::kPython ? "packages" : "node_modules";
}

Result<Index> parse_index(const std::string& given, Ecosystem ecosystem) {
  if (given.empty())
    return Index{ecosystem == Ecosystem::kPython ? kDefaultPythonIndex : kDefaultNodeIndex, "",
                 true};
  if (given.starts_with('/')) {
    if (ecosystem == Ecosystem::kNode)
      return fail(Errc::kInvalid, "--index: npm needs a registry (https://...), not a folder");
    return Index{"", given, false};
  }
  std::string url = given;
  while (url.ends_with('/')) url.pop_back();
  if (!url.starts_with(kHttps) || url.find_first_of("?#\\ @") != std::string::npos ||
      url.find("..") != std::string::npos)
    return fail(Errc::kInvalid,
                "--index: must be https://HOST[:PORT]/PATH without a user or a query, or a folder");
  const auto authority = url.substr(kHttps.size(), url.find('/', kHttps.size()) - kHttps.size());
  if (auto host = parse_authority(authority, 443); !host)
    return fail(Errc::kInvalid, "--index: " + host.error().message);
  return Index{url, "", false};
}

Result<Request> make_build_request(const Recipe& recipe, const std::string& stage,
                                   const Profile& build_profile) {
  const bool is_python = recipe.requirements.ecosystem == Ecosystem::kPython;
  Request request;
  request.profile = build_profile;
  request.profile.protect.clear();
  request.profile.protect_home.clear();
  request.read_write = {stage};
  if (!recipe.index.folder.empty()) {
    request.profile.allow_hosts.clear();
    request.read_only = {recipe.index.folder};
  } else if (is_python && recipe.index.is_default) {
    // PyPI's files lie on another host than its index: the profile names both.
    AISPM_TRY(const HostRule other, rule_of(kDefaultNodeIndex));
    std::erase(request.profile.allow_hosts, other);
  } else {
    AISPM_TRY(const HostRule rule, rule_of(recipe.index.url));
    request.profile.allow_hosts = {rule};
  }
  request.command = {recipe.interpreter};
  if (is_python) {
    request.command.insert(request.command.end(),
                           {"-I", "-c", kPythonSteps,
                            stage + "/" + output_folder(Ecosystem::kPython), kPythonPackages});
    for (auto& word : pip_words(recipe, stage)) request.command.push_back(std::move(word));
  } else {
    request.environment = {std::string("NODE_EXTRA_CA_CERTS=") + kCertificates};
    for (auto& word : npm_words(recipe, stage)) request.command.push_back(std::move(word));
  }
  return request;
}

}  // namespace aispm::sandbox
