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

// Whether a reply repeats the words of the system prompt. Pure.
namespace aispm::gateway {

// From how many characters of the system prompt on an echo is told of, and is of high severity.
struct EchoBounds {
  // Fewer can be missed: of a reply's windows of 24 characters one in 16 is sure to be looked for.
  static constexpr std::size_t kMin = 40;
  static constexpr std::size_t kMax = 4096;
  std::size_t tell = kMin;  // of each part
  std::size_t high = 160;   // of all parts, or most of a shorter prompt
};

// A hash of texts of one length with a random key: nobody can choose texts whose hashes meet.
class WindowHash {
 public:
  static constexpr std::size_t kBytes = 24;
  WindowHash();
  // Of the kBytes at `window`.
  std::uint64_t operator()(const char* window) const;

 private:
  std::array<std::uint64_t, 4> key_;
};

// The prose of system prompts, ready to be found again in parts. Letters and digits without case,
// one space for all that stands between words; paths, code and markup are borders, since answers
// have them in common with prompts for other reasons. Immutable.
//
// Every kStep-th window of the prompt is in the table, and of each kStride windows of a reply the
// first kStep are looked for: whatever the shift between both, one of any kStride windows in a row
// is found.
class PromptIndex {
 public:
  static constexpr std::size_t kMaxProse = 256U << 10;  // bytes; see is_cut()
  static constexpr std::size_t kWindow = WindowHash::kBytes;
  static constexpr std::size_t kStep = 4;
  static constexpr std::size_t kStride = 16;

  // Of the system and developer messages of a request.
  explicit PromptIndex(const codec::LlmRequest& request);

  bool empty() const { return words_ == 0; }
  std::size_t words_bytes() const { return words_; }  // of prose, without borders
  // There was more prose than kMaxProse: what is beyond is not looked for.
  bool is_cut() const { return is_cut_; }
  // Slots that a look-up may pass at most.
  std::size_t longest_probe() const { return longest_probe_; }
  // The end of a window of the prose that equals the one at `window`; 0: there is none.
  std::size_t find(const char* window) const;
  std::string_view prose() const { return prose_; }

 private:
  void add_prose(std::string_view text);
  void add_windows();
  void add_window(std::size_t end);
  bool is_window(std::size_t end, const char* window) const;

  WindowHash hash_;
  std::string prose_;
  std::size_t words_ = 0;
  std::size_t longest_probe_ = 0;
  bool is_cut_ = false;
  // Ends of windows, 0: free. A power of two of them, at least twice the windows, or none.
  std::vector<std::uint32_t> slots_;
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
// chance. No allocation.
class PromptEcho {
 public:
  static constexpr std::size_t kHead = 160;      // bytes in which a refusal shows
  static constexpr std::size_t kExempt = 512;    // bytes of a refusal that may quote its reason
  static constexpr std::size_t kMaxQuote = 120;  // characters of that reason; more is no quotation

  explicit PromptEcho(std::shared_ptr<const PromptIndex> index, EchoBounds bounds = {})
      : index_(std::move(index)), bounds_(bounds) {}

  void feed(std::string_view text);
  // Characters of the parts so far, each of at least `bounds.tell`.
  std::size_t echoed() const { return echoed_; }
  // `bounds.high` of it, or most of a short prompt.
  bool is_much() const;

 private:
  static constexpr std::size_t kOpening = 24;  // characters of prose that tell a refusal
  static constexpr std::size_t kTail = PromptIndex::kWindow + PromptIndex::kStride;

  void read_opening(std::string_view text);
  std::size_t skim(std::string_view text);
  bool has_window(std::size_t from) const;
  std::size_t until_look() const;
  std::size_t read_prose(std::string_view text, std::size_t most);
  std::size_t append(std::string_view text, std::size_t most);
  void start_anew();
  void look();
  void follow(char c);
  void align(std::size_t end);
  void count();

  const std::shared_ptr<const PromptIndex> index_;
  const EchoBounds bounds_;
  std::array<char, kOpening> opening_;  // the reply's first words
  std::uint8_t opening_size_ = 0;
  std::uint8_t quote_bytes_ = 0;  // of a typographic apostrophe, so far
  bool is_refusal_ = false;
  char last_ = '\1';
  std::array<char, 4 * kTail> tail_;  // of the reply's prose since its last border
  std::size_t tail_size_ = 0;
  std::size_t since_border_ = 0;
  bool has_new_ = false;     // as many as were asked for
  std::size_t place_ = 0;    // in the prompt's prose, of the next character; 0: not aligned
  std::size_t run_ = 0;      // characters that agree up to here
  std::size_t counted_ = 0;  // of this run
  std::size_t echoed_ = 0;
  std::size_t quoted_ = 0;   // not counted, since a refusal may say so much
  std::uint64_t bytes_ = 0;  // of the reply so far
};

}  // namespace aispm::gateway
