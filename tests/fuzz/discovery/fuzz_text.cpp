// SPDX-License-Identifier: Apache-2.0
// Command lines, scripts, cgroup files and conditions of any content.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sensor/classify/container.hpp"
#include "sensor/classify/http_answer.hpp"
#include "sensor/classify/program_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const Language language : {Language::kPython, Language::kJavaScript})
    if (find_imports(text, language).size() > kMaxImports) std::abort();
  std::vector<std::string> argv;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    argv.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  (void)mcp_token(argv);
  (void)program_of(argv.front(), argv);
  (void)npm_package_of(text);
  if (plain_url(text).find_first_of("?#") != std::string::npos) std::abort();
  if (const auto found = find_container(text); found && found->id.size() != 64) std::abort();
  if (const auto condition = parse_answer_condition(text);
      condition && condition->parts.size() > kMaxAnswerParts)
    std::abort();
  (void)normal_image(text);
  (void)normal_host(text);
  return 0;
}
