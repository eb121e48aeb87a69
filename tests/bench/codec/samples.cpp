// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/codec/samples.hpp"

#include <array>

#include "sdk/core/codec/json_edit.hpp"

namespace aispm::bench {
namespace {

constexpr std::size_t kAgentBytes = 76'000;
constexpr std::size_t kSmallBytes = 239;
constexpr int kTools = 24;

// Prose with the escapes that prompts have: line breaks, quotes, code.
std::string prose(std::size_t bytes, unsigned seed) {
  static constexpr std::array<const char*, 12> kPieces = {
      "Use this tool when the user asks to change a file. ",
      "Read the file first, then edit the smallest region.\n",
      "Never run \"rm -rf\" without asking. ",
      "Paths are absolute, for example /home/user/project/src/main.cpp.\n",
      "- Prefer `rg` to `grep`.\n",
      "If a test fails, show the last 20 lines of its output. ",
      "Answer in the language of the question.\n\n",
      "The result is truncated after 30000 characters. ",
      "<example>\nuser: what is 2+2?\nassistant: 4\n</example>\n",
      "Do not guess URLs.\t",
      "A commit message says why, not what. ",
      "Stop and ask when two instructions differ.\n"};
  std::string text;
  while (text.size() < bytes) {
    seed = seed * 1103515245U + 12345U;
    text += kPieces[(seed >> 16) % kPieces.size()];
  }
  return text;
}

std::string tool(int number) {
  const std::string name = "tool_" + std::to_string(number);
  std::string properties;
  for (int i = 0; i < 6; ++i) {
    if (i > 0) properties += ",";
    properties += "\"argument_" + std::to_string(i) + R"(":{"type":"string","description":)" +
                  codec::json_string(prose(90, static_cast<unsigned>(number * 7 + i))) + "}";
  }
  return R"({"name":")" + name + R"(","description":)" +
         codec::json_string(prose(1200, static_cast<unsigned>(number))) +
         R"(,"input_schema":{"type":"object","properties":{)" + properties +
         R"(},"required":["argument_0"],"additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#"}})";
}

}  // namespace

std::string request_head(std::size_t content_length) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAccept-Encoding: gzip, "
         "deflate\r\n"
         "Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
         "User-Agent: OpenAI/Python 2.8.0\r\nX-Stainless-Lang: "
         "python\r\nX-Stainless-Package-Version: 2.8.0\r\n"
         "X-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"
         "X-Stainless-Runtime-Version: 3.11.2\r\nAuthorization: Bearer "
         "sk-0123456789abcdef0123456789abcdef\r\n"
         "X-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\nx-stainless-read-timeout: "
         "600\r\nContent-Length: " +
         std::to_string(content_length) + "\r\n\r\n";
}

std::string small_request() {
  std::string body =
      R"({"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":")";
  const std::string end = R"("}],"temperature":0.2,"max_tokens":128})";
  while (body.size() + end.size() < kSmallBytes) body += "words and "[(body.size()) % 10];
  return body + end;
}

std::string agent_request() {
  std::string tools;
  for (int i = 0; i < kTools; ++i) tools += (i > 0 ? "," : "") + tool(i);
  const std::string start =
      R"({"model":"claude-sonnet","max_tokens":32000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"say hi"}]}],"tools":[)" +
      tools + R"(],"system":[{"type":"text","text":)";
  const std::string end =
      R"(,"cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"user_1"}})";
  const std::size_t left = kAgentBytes - start.size() - end.size();
  return start + codec::json_string(prose(left * 95 / 100, 1)) + end;
}

std::string stream_event() {
  return R"(data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion.chunk","created":1763700000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"obfuscation":"x7Kp2"})"
         "\n\n";
}

}  // namespace aispm::bench
