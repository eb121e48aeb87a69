// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/prompt_echo.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/model/event.hpp"

// Whether a reply gives away what its model was told: the words of the system prompt, or the
// definitions of the tools that were offered. Pure. What is found are detections of category
// `extraction`; policy says what follows.
namespace aispm::gateway {

inline constexpr std::string_view kEchoRule = "extraction.prompt_echo";
inline constexpr std::string_view kSchemaRule = "extraction.tool_schema";
inline constexpr std::string_view kSentinelRule = "extraction.sentinel";

// What is looked for (`detect: leaks:`).
struct LeakConfig {
  static constexpr std::size_t kMinSentinel = 21;  // bytes
  static constexpr std::size_t kMaxSentinel = 256;
  static constexpr std::size_t kMaxSentinels = 64;
  bool prompt_echo = true;
  EchoBounds echo;
  bool tool_schemas = true;
  std::vector<std::string> sentinels;  // strings of system prompts that no reply may hold
};

// The pack of the sentinels' rule (sdk/core/detect/pack.hpp): it holds in streams, too, where the
// beginning of one is held back. "" = there are none.
std::string sentinel_pack(const LeakConfig& config);

// Follows one reply: whether it shows definitions of the offered tools, which is JSON with
// `parameters` (or `input_schema`) and what belongs to it beside the name of such a tool. JSON of
// other things passes, whatever its keys.
class SchemaScreen {
 public:
  static constexpr std::size_t kWindowBytes = 4096;  // in which all of one definition is looked for

  enum class Find : std::uint8_t { kNothing, kSome, kSure };
  // `request` must outlive it.
  explicit SchemaScreen(const codec::LlmRequest& request) : request_(request) {}
  Find feed(std::string_view text);

 private:
  Find judge() const;
  bool has_words_of_tool() const;

  const codec::LlmRequest& request_;
  std::string tail_;
  bool saw_key_ = false;
};

// What one exchange's replies are held against. Its request must outlive it.
struct LeakSource {
  std::shared_ptr<const PromptIndex> prompt;  // null: no echo is looked for
  const codec::LlmRequest* tools = nullptr;   // null: no schema is
  EchoBounds echo = {};
};

// One text of a reply, whole or in pieces.
class LeakScreen {
 public:
  explicit LeakScreen(const LeakSource& source);
  // Appends what is new: first what is weak (medium), then what is sure (high), each once.
  void feed(std::string_view text, std::vector<model::Detection>& found);

 private:
  void tell(std::string_view rule, bool is_sure, std::uint64_t length, std::string message,
            std::vector<model::Detection>& found);
  PromptEcho echo_;
  bool has_prompt_;
  std::unique_ptr<SchemaScreen> schemas_;
  std::uint64_t bytes_ = 0;
  int echo_told_ = 0;
  SchemaScreen::Find schema_told_ = SchemaScreen::Find::kNothing;
};

}  // namespace aispm::gateway
