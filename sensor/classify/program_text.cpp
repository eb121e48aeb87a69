// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/program_text.hpp"

#include <algorithm>
#include <set>

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::size_t kMaxTokenBytes = 512;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool is_module_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

std::string_view take_module(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_module_character(text[size])) ++size;
  return text.substr(0, size);
}

// "import a, b as c" and "from a.b import c".
void read_python_line(std::string_view line, std::vector<std::string_view>& found) {
  if (line.starts_with("from ")) {
    line.remove_prefix(5);
    const std::string_view module = take_module(trim(line));
    const std::size_t import = line.find(" import ");
    if (module.empty() || module.front() == '.' || import == std::string_view::npos) return;
    found.push_back(module);
    return;
  }
  if (!line.starts_with("import ")) return;
  line.remove_prefix(7);
  while (true) {
    const std::size_t comma = line.find(',');
    if (const std::string_view module = take_module(trim(line.substr(0, comma))); !module.empty())
      found.push_back(module);
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
}

// The package in `from "x/y"`, `import "x"`, `require('x')`, `import('x')`.
void read_script_line(std::string_view line, std::vector<std::string_view>& found) {
  for (const std::string_view word : {"from", "import", "require"}) {
    for (std::size_t at = line.find(word); at != std::string_view::npos;
         at = line.find(word, at + 1)) {
      std::string_view rest = trim(line.substr(at + word.size()));
      if (rest.starts_with('(')) rest = trim(rest.substr(1));
      if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) continue;
      const std::size_t end = rest.find(rest.front(), 1);
      if (end == std::string_view::npos) continue;
      std::string_view module = rest.substr(1, end - 1);
      if (module.empty() || module.front() == '.' || module.front() == '/') continue;
      // The package of a path below it; a scope is part of a name.
      std::size_t slash = module.find('/');
      if (module.front() == '@' && slash != std::string_view::npos)
        slash = module.find('/', slash + 1);
      found.push_back(module.substr(0, slash));
    }
  }
}

bool is_runner(std::string_view program) {
  static constexpr std::string_view kNames[] = {"npx",  "bunx", "uvx", "pipx", "pnpm",
                                                "yarn", "uv",   "npm", "bun",  "deno"};
  return std::find(std::begin(kNames), std::end(kNames), program) != std::end(kNames);
}

// "@x/y@1.2" -> "@x/y", "mcp-server-git==1" -> "mcp-server-git".
std::string without_version(std::string_view package) {
  const std::size_t at = package.find('@', 1);
  package = package.substr(0, std::min(at, package.find("==")));
  return std::string(package.substr(0, kMaxTokenBytes));
}

}  // namespace

Language language_of(std::string_view program) {
  if (program.starts_with("python") || program == "pypy3") return Language::kPython;
  const bool is_javascript =
      program == "node" || program == "nodejs" || program == "bun" || program == "deno";
  return is_javascript ? Language::kJavaScript : Language::kNone;
}

Script find_script(std::string_view exe, const std::vector<std::string>& argv) {
  Script script;
  script.language = language_of(base_name(exe));
  if (script.language == Language::kNone) return script;
  const bool is_python = script.language == Language::kPython;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& argument = argv[i];
    const bool has_value = i + 1 < argv.size();
    if (is_python && argument == "-m" && has_value) {
      script.module = argv[i + 1];
      return script;
    }
    const bool is_code = is_python ? argument == "-c" : argument == "-e" || argument == "--eval";
    if (is_code && has_value) {
      script.code = argv[i + 1];
      return script;
    }
    // Options whose value is the next argument.
    if (is_python ? argument == "-W" || argument == "-X"
                  : argument == "-r" || argument == "--require" || argument == "--import" ||
                        argument == "run") {
      if (argument != "run") ++i;
      continue;
    }
    if (argument.empty() || argument.front() == '-') continue;
    script.path = argument;
    return script;
  }
  return script;
}

std::string program_of(std::string_view exe, const std::vector<std::string>& argv) {
  const Script script = find_script(exe, argv);
  std::string name(exe.empty() && !argv.empty() ? std::string_view(argv.front()) : exe);
  if (!script.path.empty()) return name + " " + script.path.substr(0, kMaxTokenBytes);
  if (!script.module.empty()) return name + " -m " + script.module.substr(0, kMaxTokenBytes);
  return name;
}

std::string npm_package_of(std::string_view path) {
  constexpr std::string_view kFolder = "/node_modules/";
  const std::size_t at = path.rfind(kFolder);
  if (at == std::string_view::npos) return "";
  path.remove_prefix(at + kFolder.size());
  std::size_t slash = path.find('/');
  if (path.starts_with('@') && slash != std::string_view::npos) slash = path.find('/', slash + 1);
  const std::string_view package = path.substr(0, slash);
  return package == ".bin" ? "" : std::string(package.substr(0, kMaxTokenBytes));
}

std::string mcp_token(const std::vector<std::string>& argv) {
  if (argv.empty()) return "";
  const std::string_view program = base_name(argv.front());
  if (language_of(program) != Language::kNone) {
    const Script script = find_script(program, argv);
    if (const std::string package = npm_package_of(script.path); !package.empty()) return package;
    if (!script.module.empty()) return "-m " + script.module.substr(0, kMaxTokenBytes);
    if (!script.path.empty()) return script.path.substr(0, kMaxTokenBytes);
    return "";
  }
  if (program == "docker" || program == "podman") {
    // The image is the argument that looks like one: options' values are words or paths.
    for (std::size_t i = 1; i < argv.size(); ++i)
      if (argv[i].find('/') != std::string::npos && argv[i].front() != '-' &&
          argv[i].front() != '/' && argv[i].find('=') == std::string::npos)
        return "image " + argv[i].substr(0, kMaxTokenBytes);
    return "";
  }
  if (!is_runner(program)) return std::string(argv.front().substr(0, kMaxTokenBytes));
  static const std::set<std::string_view> kWords = {"run", "tool", "exec", "dlx", "x"};
  static const std::set<std::string_view> kWithValue = {"--from",   "-p",          "--package",
                                                        "--python", "--directory", "--with"};
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i].empty() || kWords.contains(argv[i])) continue;
    if (kWithValue.contains(argv[i])) {
      ++i;
      continue;
    }
    if (argv[i].front() != '-') return without_version(argv[i]);
  }
  return "";
}

std::vector<std::string> find_imports(std::string_view text, Language language) {
  std::vector<std::string> imports;
  std::set<std::string_view> known;
  std::vector<std::string_view> found;
  while (!text.empty() && imports.size() < kMaxImports) {
    const std::size_t end = std::min(text.find_first_of("\n;"), text.size());
    const std::string_view line = trim(text.substr(0, std::min(end, kMaxLineBytes)));
    text.remove_prefix(std::min(end + 1, text.size()));
    found.clear();
    if (language == Language::kPython) read_python_line(line, found);
    if (language == Language::kJavaScript) read_script_line(line, found);
    for (const std::string_view module : found)
      if (imports.size() < kMaxImports && module.size() <= kMaxTokenBytes &&
          known.insert(module).second)
        imports.emplace_back(module);
  }
  return imports;
}

std::string plain_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || scheme == 0 || url.size() > kMaxLineBytes) return "";
  // RFC 3986 section 3.1; what stands before the first "://" of other text may be a query.
  const auto is_scheme_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  };
  if (!std::all_of(url.begin(), url.begin() + static_cast<std::ptrdiff_t>(scheme),
                   is_scheme_character))
    return "";
  std::string_view rest = url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::size_t user = rest.substr(0, slash).rfind('@');
  if (user != std::string_view::npos) rest.remove_prefix(user + 1);
  return rest.empty() ? "" : std::string(url.substr(0, scheme + 3)) + std::string(rest);
}

}  // namespace aispm::sensor
