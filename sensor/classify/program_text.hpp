// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

// What a command line and a script's text say about the program. Pure; takes any bytes.
namespace aispm::sensor {

enum class Language { kNone, kPython, kJavaScript };

// Of an interpreter by its base name: "python3.11", "node", "bun"; kNone for all else.
Language language_of(std::string_view program);

// What an interpreter was told to run.
struct Script {
  Language language = Language::kNone;
  std::string path;    // of the script, as given; empty when there is none
  std::string module;  // python -m
  std::string code;    // python -c, node -e
};
Script find_script(std::string_view exe, const std::vector<std::string>& argv);

// A name for what runs that is the same each time it is started: "/usr/bin/ollama",
// "/usr/bin/python3.11 /srv/a.py", "/usr/bin/python3.11 -m vllm". Never other arguments: they may
// hold secrets.
std::string program_of(std::string_view exe, const std::vector<std::string>& argv);

// The same for a command as an MCP configuration has it and as it runs later, also through npx,
// uvx and the like: the package, module or script that is the server. Empty when there is none.
std::string mcp_token(const std::vector<std::string>& argv);

// "…/node_modules/@x/y/dist/i.js" -> "@x/y"; empty elsewhere.
std::string npm_package_of(std::string_view path);

// Modules imported by the text, in order, each once: "openai", "google.genai", "@anthropic-ai/sdk".
// At most kMaxImports.
inline constexpr std::size_t kMaxImports = 256;
std::vector<std::string> find_imports(std::string_view text, Language language);

// Scheme, host, port and path of a URL: no user, password, query or fragment. Empty when it is
// none.
std::string plain_url(std::string_view url);

}  // namespace aispm::sensor
