// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/known_texts.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/model/event.hpp"

// Whether a reply gives away what its model was told: the words of the system prompt, or the
// definitions of the tools that were offered. Pure. What is found are detections of category
// `extraction`; policy says what follows.
namespace aispm::gateway {

inline constexpr std::string_view kEchoRule = "extraction.prompt_echo";
inline constexpr std::string_view kSchemaRule = "extraction.tool_schema";
inline constexpr std::string_view kSentinelRule = "extraction.sentinel";

// From how many characters of the system prompt on an echo is told of, and is of high severity.
struct EchoBounds {
  // Fewer can be missed: PromptIndex keeps a window of 24 at every 16th place.
  static constexpr std::size_t kMin = 40;
  static constexpr std::size_t kMax = 4096;
  std::size_t tell = kMin;  // of each part
  std::size_t high = 160;   // of all parts, or most of a shorter prompt
};

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

// The prose of system prompts, ready to be found again in parts. Letters and digits without case,
// one space for all that stands between words; paths, code and markup are borders, since answers
// have them in common with prompts for other reasons. Immutable.
class PromptIndex {
 public:
  static constexpr std::size_t kMaxProse = 256U << 10;  // bytes; what is beyond is not looked for
  static constexpr std::size_t kWindow = 24;
  static constexpr std::size_t kStride = 16;

  // Of the system and developer messages of a request.
  explicit PromptIndex(const codec::LlmRequest& request);

  bool empty() const { return words_ == 0; }
  std::size_t words_bytes() const { return words_; }  // of prose, without borders

 private:
  friend class PromptEcho;
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t end = 0;  // behind the window in `prose_`; 0: free
  };
  void add_window(std::uint64_t hash, std::size_t end);
  const Slot* find(std::uint64_t hash) const;

  std::string prose_;
  std::size_t words_ = 0;
  std::vector<Slot> slots_;  // a power of two of them, or none
};

// The indices of the prompts that were seen last: agents send the same one with each request. Not
// thread-safe.
class PromptIndexes {
 public:
  static constexpr std::size_t kKept = 8;
  // Null where there is no prose. `keys` only for its keyed hash.
  std::shared_ptr<const PromptIndex> of(const codec::LlmRequest& request, const KnownTexts& keys);

 private:
  struct Kept {
    std::uint64_t key = 0;
    std::shared_ptr<const PromptIndex> index;
  };
  std::array<Kept, kKept> kept_{};
  std::size_t next_ = 0;
};

// Follows one reply. Shorter parts than `bounds.tell` that prompt and reply have in common are
// chance.
class PromptEcho {
 public:
  static constexpr std::size_t kHead = 160;    // bytes in which a refusal shows
  static constexpr std::size_t kExempt = 512;  // bytes of a refusal that may quote its reason

  explicit PromptEcho(std::shared_ptr<const PromptIndex> index, EchoBounds bounds = {})
      : index_(std::move(index)), bounds_(bounds) {}

  void feed(std::string_view text);
  // Characters of the parts so far, each of at least `bounds.tell`.
  std::size_t echoed() const { return echoed_; }
  // `bounds.high` of it, or most of a short prompt.
  bool is_much() const;

 private:
  void take(char c);
  void align(std::size_t end);
  void count();

  const std::shared_ptr<const PromptIndex> index_;
  const EchoBounds bounds_;
  std::string head_;  // the first kHead bytes
  bool is_refusal_ = false;
  std::string tail_;  // of the reply's prose, kWindow + kStride and more
  std::uint64_t hash_ = 0;
  std::size_t filled_ = 0;   // of the window
  std::size_t place_ = 0;    // in the prompt's prose, of the next character; 0: not aligned
  std::size_t run_ = 0;      // characters that agree up to here
  std::size_t counted_ = 0;  // of this run
  std::size_t echoed_ = 0;
  std::uint64_t bytes_ = 0;  // of the reply so far
  char last_ = '\1';
};

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
  bool is_fresh_ = false;  // since it was judged last
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
