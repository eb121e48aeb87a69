// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/leak_screen.hpp"

#include <algorithm>
#include <bit>

#include "gateway/proxy/observe/guardrails.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {
namespace {

// Between parts of prose that are not to be joined.
constexpr char kBorder = '\1';
constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15ULL | 1;
// Sets these keys apart from those of texts that were judged.
constexpr std::uint64_t kTag = 0x4c45414bULL;

constexpr std::uint64_t power(std::uint64_t base, std::size_t exponent) {
  std::uint64_t value = 1;
  for (std::size_t i = 0; i < exponent; ++i) value *= base;
  return value;
}
constexpr std::uint64_t kLeaving = power(kBase, PromptIndex::kWindow);

std::uint64_t next_hash(std::uint64_t hash, char in) {
  return hash * kBase + static_cast<std::uint8_t>(in) + 1;
}
std::uint64_t without(std::uint64_t hash, char out) {
  return hash - kLeaving * (static_cast<std::uint64_t>(static_cast<std::uint8_t>(out)) + 1);
}

// A byte of prose: a letter in lower case, ' ' for what stands between words, or a border.
char prose_of(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<std::uint8_t>(c) >= 0x80)
    return c;
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  constexpr std::string_view kBorders = "/\\=<>{}[]|@$_~^&";
  return kBorders.find(c) != std::string_view::npos ? kBorder : ' ';
}

bool is_letter(char c) { return c != ' ' && c != kBorder; }

// One space between words, none beside a border.
bool is_kept(char c, char last) {
  return is_letter(c) || (c == kBorder ? last != c : is_letter(last));
}

bool begins_as_refusal(std::string_view head) {
  constexpr std::array<std::string_view, 20> kHeads = {
      "i can t",    "i cannot",    "i can not",       "i m sorry",         "i am sorry",
      "sorry",      "i won t",     "i will not",      "i m not able",      "i am not able",
      "i m unable", "i am unable", "i must decline",  "i have to decline", "unfortunately",
      "i apologi",  "as an ai",    "i m not allowed", "i am not allowed",  "no i can"};
  std::string plain;
  for (std::size_t i = 0; i < head.size(); ++i) {
    char c = prose_of(head[i]);
    // The typographic apostrophe.
    if (head.substr(i).starts_with("\xe2\x80\x99")) {
      c = ' ';
      i += 2;
    }
    if (c == kBorder) c = ' ';
    if (c != ' ' || (!plain.empty() && plain.back() != ' ')) plain.push_back(c);
  }
  return std::any_of(kHeads.begin(), kHeads.end(),
                     [&](std::string_view one) { return plain.starts_with(one); });
}

}  // namespace

std::string sentinel_pack(const LeakConfig& config) {
  if (config.sentinels.empty()) return {};
  std::string patterns;
  std::string hits;
  for (const std::string& one : config.sentinels) {
    const std::string comma = patterns.empty() ? "" : ",";
    patterns += comma + codec::json_string(literal_pattern(one));
    hits += comma + codec::json_string(one);
  }
  // JSON is YAML.
  return R"({"pack":"sentinels","category":"extraction","rules":[{"id":")" +
         std::string(kSentinelRule) +
         R"(","severity":"critical","confidence":0.99,"caseless":true,)"
         R"("surfaces":["reply","tool_arguments"],"tags":["owasp-llm:LLM07"],)"
         R"("message":"Holds a string that stands in a system prompt to show that it leaks",)"
         R"("patterns":[)" +
         patterns + R"(],"hits":[)" + hits + R"(],"misses":["~"]}]})";
}

PromptIndex::PromptIndex(const codec::LlmRequest& request) {
  for (const codec::TextPart& part : request.parts) {
    if (part.surface != codec::Surface::kSystem || part.is_key) continue;
    char last = kBorder;
    prose_.push_back(kBorder);
    for (const char raw : part.text) {
      if (prose_.size() >= kMaxProse) break;
      const char c = prose_of(raw);
      if (!is_kept(c, last)) continue;
      prose_.push_back(c);
      last = c;
      if (c != kBorder) ++words_;
    }
  }
  if (words_ < EchoBounds::kMin) {
    words_ = 0;
    return;
  }
  slots_.resize(std::bit_ceil(2 * (prose_.size() / kStride + 1)));
  std::uint64_t hash = 0;
  std::size_t filled = 0;
  std::size_t since = kStride;  // characters since the last window that was taken
  for (std::size_t i = 0; i < prose_.size(); ++i) {
    if (prose_[i] == kBorder) {
      hash = filled = 0;
      since = kStride;
      continue;
    }
    hash = next_hash(hash, prose_[i]);
    if (filled == kWindow)
      hash = without(hash, prose_[i - kWindow]);
    else
      ++filled;
    ++since;
    if (filled < kWindow || since < kStride) continue;
    add_window(hash, i + 1);
    since = 0;
  }
}

void PromptIndex::add_window(std::uint64_t hash, std::size_t end) {
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].end != 0) {
    if (slots_[at].hash == hash) return;
    at = (at + 1) & (slots_.size() - 1);
  }
  slots_[at] = {hash, static_cast<std::uint32_t>(end)};
}

const PromptIndex::Slot* PromptIndex::find(std::uint64_t hash) const {
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].end != 0;
       at = (at + 1) & (slots_.size() - 1))
    if (slots_[at].hash == hash) return &slots_[at];
  return nullptr;
}

std::shared_ptr<const PromptIndex> PromptIndexes::of(const codec::LlmRequest& request,
                                                     const KnownTexts& keys) {
  std::uint64_t key = 0;
  for (const codec::TextPart& part : request.parts)
    if (part.surface == codec::Surface::kSystem && !part.is_key)
      key = std::rotl(key, 7) * kBase + keys.key_of(kTag, part.text);
  if (key == 0) return nullptr;
  for (const Kept& one : kept_)
    if (one.index && one.key == key) return one.index->empty() ? nullptr : one.index;
  auto made = std::make_shared<const PromptIndex>(request);
  kept_[next_] = {key, made};
  next_ = (next_ + 1) % kKept;
  return made->empty() ? nullptr : made;
}

bool PromptEcho::is_much() const {
  return echoed_ >= bounds_.tell &&
         echoed_ >= std::min(bounds_.high, index_->words_bytes() * 4 / 5);
}

void PromptEcho::feed(std::string_view text) {
  if (head_.size() < kHead) {
    head_ += text.substr(0, kHead - head_.size());
    is_refusal_ = begins_as_refusal(head_);
  }
  for (const char raw : text) {
    ++bytes_;
    const char c = prose_of(raw);
    if (!is_kept(c, last_)) continue;
    last_ = c;
    take(c);
  }
}

void PromptEcho::take(char c) {
  if (c == kBorder) {
    tail_.clear();
    hash_ = filled_ = 0;
    place_ = run_ = counted_ = 0;
    return;
  }
  constexpr std::size_t kTail = PromptIndex::kWindow + PromptIndex::kStride;
  hash_ = next_hash(hash_, c);
  if (filled_ == PromptIndex::kWindow)
    hash_ = without(hash_, tail_[tail_.size() - PromptIndex::kWindow]);
  else
    ++filled_;
  tail_.push_back(c);
  if (tail_.size() > 4 * kTail) tail_.erase(0, tail_.size() - kTail);
  if (place_ != 0 && place_ < index_->prose_.size() && index_->prose_[place_] == c) {
    ++place_;
    ++run_;
    return count();
  }
  place_ = run_ = counted_ = 0;
  if (filled_ < PromptIndex::kWindow) return;
  if (const PromptIndex::Slot* const slot = index_->find(hash_)) align(slot->end);
}

// A window of the prompt ends here: how far back do both agree?
void PromptEcho::align(std::size_t end) {
  std::size_t back = 0;
  while (back < tail_.size() && back < end &&
         tail_[tail_.size() - 1 - back] == index_->prose_[end - 1 - back])
    ++back;
  if (back < PromptIndex::kWindow) return;  // another text of the same hash
  place_ = end;
  run_ = back;
  count();
}

void PromptEcho::count() {
  if (run_ < bounds_.tell || (is_refusal_ && bytes_ <= kExempt)) return;
  echoed_ += run_ - counted_;
  counted_ = run_;
}

namespace {

constexpr std::array<std::string_view, 4> kSchemaKeys = {
    "\"parameters\"", "\"input_schema\"", "\"inputSchema\"", "\"parametersJsonSchema\""};
constexpr std::size_t kLongestKey = 24;
constexpr std::array<std::string_view, 4> kSchemaMarks = {"\"name\"", "\"description\"",
                                                          "\"properties\"", "\"required\""};

bool names_tool(std::string_view text, std::string_view tool) {
  for (auto at = text.find("\"name\""); at != std::string_view::npos;
       at = text.find("\"name\"", at + 1)) {
    const std::size_t value = text.find_first_not_of(" \t\r\n:", at + 6);
    if (value == std::string_view::npos || text[value] != '"') continue;
    const std::string_view said = text.substr(value + 1);
    if (said.starts_with(tool) && said.size() > tool.size() && said[tool.size()] == '"')
      return true;
  }
  return false;
}

// What of a description stands in JSON as it is said.
std::string_view plain_head(std::string_view text) {
  constexpr std::size_t kMost = 48;
  const auto end = text.find_first_of("\"\\\n\r\t");
  return text.substr(0, std::min({end, text.size(), kMost}));
}

}  // namespace

bool SchemaScreen::has_words_of_tool() const {
  constexpr std::size_t kFew = 16;
  return std::any_of(request_.parts.begin(), request_.parts.end(),
                     [&](const codec::TextPart& part) {
                       if (part.surface != codec::Surface::kToolDescription || part.is_key)
                         return false;
                       const auto& names = request_.tools_offered;
                       if (std::find(names.begin(), names.end(), part.text) != names.end())
                         return false;
                       const std::string_view head = plain_head(part.text);
                       return head.size() >= kFew && tail_.find(head) != std::string::npos;
                     });
}

SchemaScreen::Find SchemaScreen::judge() const {
  const bool has_mark =
      std::any_of(kSchemaMarks.begin(), kSchemaMarks.end(),
                  [&](std::string_view mark) { return tail_.find(mark) != std::string::npos; });
  if (!has_mark) return Find::kNothing;
  std::size_t named = 0;
  for (const std::string& tool : request_.tools_offered)
    if (names_tool(tail_, tool) && ++named > 1) break;
  if (named == 0) return Find::kNothing;
  return named > 1 || has_words_of_tool() ? Find::kSure : Find::kSome;
}

SchemaScreen::Find SchemaScreen::feed(std::string_view text) {
  Find found = Find::kNothing;
  // A definition may come whole and be longer than the window: it is read in steps.
  while (!text.empty() && found != Find::kSure) {
    const std::string_view step = text.substr(0, kWindowBytes / 2);
    text.remove_prefix(step.size());
    const std::size_t from = tail_.size() - std::min(tail_.size(), kLongestKey);
    tail_ += step;
    for (const std::string_view key : kSchemaKeys)
      saw_key_ = saw_key_ || tail_.find(key, from) != std::string::npos;
    if (saw_key_ && step.find_first_of("\",}]") != std::string_view::npos)
      found = std::max(found, judge());
    if (tail_.size() > kWindowBytes) tail_.erase(0, tail_.size() - kWindowBytes);
  }
  return found;
}

LeakScreen::LeakScreen(const LeakSource& source)
    : echo_(source.prompt, source.echo),
      has_prompt_(source.prompt != nullptr),
      schemas_(source.tools != nullptr && !source.tools->tools_offered.empty()
                   ? std::make_unique<SchemaScreen>(*source.tools)
                   : nullptr) {}

void LeakScreen::tell(std::string_view rule, bool is_sure, std::uint64_t length,
                      std::string message, std::vector<model::Detection>& found) {
  model::Detection detection;
  detection.rule_id = rule;
  detection.category = "extraction";
  detection.severity = is_sure ? model::Severity::kHigh : model::Severity::kMedium;
  detection.confidence = is_sure ? 0.95 : 0.6;
  detection.surface = "reply";
  detection.length = std::min(length, bytes_);
  detection.offset = bytes_ - detection.length;
  detection.evidence = "[" + std::to_string(detection.length) + " bytes]";
  detection.message = std::move(message);
  detection.tags = {"owasp-llm:LLM07"};
  found.push_back(std::move(detection));
}

void LeakScreen::feed(std::string_view text, std::vector<model::Detection>& found) {
  bytes_ += text.size();
  if (has_prompt_ && echo_told_ < 2) {
    echo_.feed(text);
    const int strength = echo_.is_much() ? 2 : echo_.echoed() > 0 ? 1 : 0;
    if (strength > echo_told_)
      tell(kEchoRule, strength == 2, echo_.echoed(),
           "Repeats " + std::to_string(echo_.echoed()) + " characters of the system prompt", found);
    echo_told_ = std::max(echo_told_, strength);
  }
  if (!schemas_ || schema_told_ == SchemaScreen::Find::kSure) return;
  const SchemaScreen::Find shown = schemas_->feed(text);
  if (shown <= schema_told_) return;
  schema_told_ = shown;
  tell(kSchemaRule, shown == SchemaScreen::Find::kSure, SchemaScreen::kWindowBytes,
       "Shows the definition of a tool that the model was offered", found);
}

}  // namespace aispm::gateway
