// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/json_tree.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "sdk/core/codec/json_unescape.hpp"

namespace aispm::codec {
namespace {

// Scratch memory above this is given back after use, so that one large body does not stay for ever.
constexpr std::size_t kMaxIdleScratchBytes = 4U << 20;
constexpr std::size_t kMaxIdleNodes = 64U << 10;
// Up to this many keys of an object are compared with each other, more are sorted.
constexpr std::size_t kMaxPairwiseKeys = 12;

// simdjson's first stage: it checks UTF-8 and control bytes and finds where tokens begin.
class TokenFinder {
 public:
  // `text` is followed by readable padding.
  simdjson::error_code find(const char* text, std::size_t size) {
    if (!stage_ || stage_->capacity() < size) {
      stage_.reset();
      if (const auto error =
              simdjson::get_active_implementation()->create_dom_parser_implementation(
                  std::max(size, kLeastBytes), kDepth, stage_);
          error != simdjson::SUCCESS) {
        stage_.reset();
        return error;
      }
    }
    const auto error = stage_->stage1(reinterpret_cast<const std::uint8_t*>(text), size,
                                      simdjson::stage1_mode::regular);
    if (error == simdjson::SUCCESS)  // simdjson puts it there too, but promises nothing
      stage_->structural_indexes[stage_->n_structural_indexes] = static_cast<std::uint32_t>(size);
    return error;
  }
  // Offsets in the text, in order; behind the last one stands the text's size.
  const std::uint32_t* tokens() const { return stage_->structural_indexes.get(); }
  std::size_t count() const { return stage_->n_structural_indexes; }
  void forget() { stage_.reset(); }

 private:
  static constexpr std::size_t kLeastBytes = 4096;
  static constexpr std::size_t kDepth = 1;  // of its second stage, which is not used
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage_;
};

struct Scratch {
  TokenFinder finder;
  std::unique_ptr<char[]> padded;
  std::size_t capacity = 0;
  std::vector<std::string_view> keys;
};

Scratch& thread_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}

bool is_space(char c) {
  return static_cast<std::uint8_t>(c) <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

bool is_number(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - begin;
  };
  if (i < text.size() && text[i] == '-') ++i;
  const std::size_t integer = i;
  if (digits() == 0) return false;
  if (text[integer] == '0' && i - integer > 1) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

// A set of keys in 64 bits: a key that is not in it was not added, and needs no other look.
class KeySet {
 public:
  // False: perhaps it was added before.
  bool add(std::string_view key) {
    std::size_t hash = key.size();
    if (!key.empty())
      hash += byte_of(key.front()) * 31 + byte_of(key[key.size() / 2]) * 7 + byte_of(key.back());
    const std::uint64_t bit = std::uint64_t{1} << (hash % 64);
    const bool is_new = (bits_ & bit) == 0;
    bits_ |= bit;
    return is_new;
  }

 private:
  static std::size_t byte_of(char c) { return static_cast<std::uint8_t>(c); }
  std::uint64_t bits_ = 0;
};

}  // namespace

// One walk over a document. simdjson finds the tokens and checks UTF-8; the grammar is checked
// here, token by token, so nothing stays unchecked. The steps say whether the text is right so far;
// the first thing that is not stands in `trouble_`.
class JsonReader {
 public:
  JsonReader(JsonTree& tree, std::string_view text, std::size_t max_depth)
      : tree_(tree), text_(text), max_depth_(max_depth), scratch_(thread_scratch()) {}

  Result<> read() {
    if (text_.size() > UINT32_MAX) return fail(Errc::kTooLarge, "JSON text of more than 4 GiB");
    const std::size_t needed = text_.size() + simdjson::SIMDJSON_PADDING;
    if (scratch_.capacity < needed) {
      scratch_.capacity = std::max(needed, scratch_.capacity * 2);
      scratch_.padded = std::make_unique<char[]>(scratch_.capacity);
    }
    base_ = scratch_.padded.get();
    text_.copy(base_, text_.size());  // an empty body has no address, which memcpy may not be given
    std::memset(base_ + text_.size(), ' ', simdjson::SIMDJSON_PADDING);
    scratch_.keys.clear();
    tree_.nodes_.clear();
    tree_.decoded_.reset();

    const bool is_right = read_document();
    if (scratch_.capacity > kMaxIdleScratchBytes) {
      scratch_.finder.forget();
      scratch_.padded.reset();
      scratch_.capacity = 0;
    }
    if (is_right) return {};
    return tl::unexpected<Error>(std::move(*trouble_));
  }

 private:
  bool read_document() {
    if (const auto error = scratch_.finder.find(base_, text_.size()); error != simdjson::SUCCESS)
      return note_stage_one(error);
    token_ = scratch_.finder.tokens();
    last_ = token_ + scratch_.finder.count();
    backslash_ = text_.find('\\');
    if (here() != '{') return bad_at(*token_, "not a JSON object");
    if (!read_object(1)) return false;
    return token_ == last_ || bad_at(*token_, "text after the end of the object");
  }

  // The byte that the next token begins with; a space behind the last token.
  char here() const { return base_[*token_]; }

  bool read_value(std::size_t depth) {
    switch (here()) {
      case '{':
        return depth < max_depth_ ? read_object(depth + 1) : too_deep();
      case '[':
        return depth < max_depth_ ? read_array(depth + 1) : too_deep();
      case '"':
        return add_string(false);
      default:
        return add_scalar();
    }
  }

  // `depth` is that of what stands inside.
  bool read_object(std::size_t depth) {
    const std::size_t node = open(JsonKind::kObject);
    const std::size_t first_key = scratch_.keys.size();
    KeySet seen;
    bool has_twice = false;
    bool is_to_sort = false;
    if (here() == '}') return close(node);
    for (;;) {
      if (here() != '"') return unexpected("a key");
      if (!add_string(true)) return false;
      const std::string_view key = tree_.nodes_.back().text;
      if (!seen.add(key)) {
        const bool has_few = scratch_.keys.size() - first_key < kMaxPairwiseKeys;
        has_twice = has_twice || (has_few && is_among(key, first_key));
        is_to_sort = is_to_sort || !has_few;
      }
      scratch_.keys.push_back(key);
      if (here() != ':') return unexpected("a colon");
      ++token_;
      if (!read_value(depth)) return false;
      if (here() == '}') break;
      if (here() != ',') return unexpected("a comma or the end of the object");
      ++token_;
    }
    if (has_twice || (is_to_sort && has_duplicates(first_key)))
      return bad_at(tree_.nodes_[node].begin, "repeated key in this object");
    scratch_.keys.resize(first_key);
    return close(node);
  }

  bool read_array(std::size_t depth) {
    const std::size_t node = open(JsonKind::kArray);
    if (here() == ']') return close(node);
    for (;;) {
      if (!read_value(depth)) return false;
      if (here() == ']') return close(node);
      if (here() != ',') return unexpected("a comma or the end of the array");
      ++token_;
    }
  }

  bool is_among(std::string_view key, std::size_t first) const {
    const auto begin = scratch_.keys.begin() + static_cast<std::ptrdiff_t>(first);
    return std::find(begin, scratch_.keys.end(), key) != scratch_.keys.end();
  }

  bool has_duplicates(std::size_t first) {
    const auto begin = scratch_.keys.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, scratch_.keys.end());
    return std::adjacent_find(begin, scratch_.keys.end()) != scratch_.keys.end();
  }

  bool add_scalar() {
    const std::size_t begin = *token_;
    const std::size_t end = token_end();
    const std::string_view word(text_.data() + begin, end - begin);
    JsonKind kind = JsonKind::kNull;
    if (word == "true" || word == "false") {
      kind = word == "true" ? JsonKind::kTrue : JsonKind::kFalse;
    } else if (word != "null") {
      // Its value is not asked for, so that a number of any magnitude passes.
      if (!is_number(word))
        return token_ == last_ ? unexpected("a value") : bad_at(begin, "not a JSON value");
      kind = JsonKind::kNumber;
    }
    add(kind, end).text = word;
    ++token_;
    return true;
  }

  bool add_string(bool is_key) {
    const std::size_t begin = *token_;
    const std::size_t end = token_end();
    if (end < begin + 2 || text_[end - 1] != '"') return bad_at(begin, "unterminated string");
    JsonNode& node = add(JsonKind::kString, end);
    node.is_key = is_key;
    node.text = {text_.data() + begin + 1, end - begin - 2};
    ++token_;
    if (backslash_ >= end) return true;
    if (!decode(node)) return bad_at(begin, "bad escape in a string");
    backslash_ = text_.find('\\', end);
    return true;
  }

  // Takes the escapes out of its text, in which at least one stands: strings come in their order,
  // and outside of them no backslash is valid.
  bool decode(JsonNode& node) {
    // Decoding never grows, and all strings still to come lie behind this one.
    if (!tree_.decoded_) {
      tree_.decoded_.reset(new char[text_.size() - node.begin]);
      decoded_ = tree_.decoded_.get();
    }
    const auto size = unescape_into(node.text, decoded_);
    if (!size) return false;
    node.text = {decoded_, *size};
    decoded_ += *size;
    return true;
  }

  // A node of the token that is next and ends there.
  JsonNode& add(JsonKind kind, std::size_t end) {
    std::vector<JsonNode>& nodes = tree_.nodes_;
    nodes.push_back({.kind = kind,
                     .is_key = false,
                     .begin = *token_,
                     .end = static_cast<std::uint32_t>(end),
                     .next = static_cast<std::uint32_t>(nodes.size() + 1),
                     .text = {}});
    return nodes.back();
  }

  std::size_t open(JsonKind kind) {
    add(kind, *token_ + std::size_t{1});
    ++token_;
    return tree_.nodes_.size() - 1;
  }

  // The bracket that is next ends the node.
  bool close(std::size_t node) {
    tree_.nodes_[node].end = *token_ + 1;
    tree_.nodes_[node].next = static_cast<std::uint32_t>(tree_.nodes_.size());
    ++token_;
    return true;
  }

  // Behind the last byte of the token that is next: what stands between tokens is space.
  std::size_t token_end() const {
    if (token_ == last_) return text_.size();
    std::size_t end = token_[1];
    while (is_space(text_[end - 1])) --end;
    return end;
  }

  static std::string message(simdjson::error_code error) {
    switch (error) {
      case simdjson::UTF8_ERROR:
        return "invalid UTF-8";
      case simdjson::UNESCAPED_CHARS:
        return "control byte in a string";
      case simdjson::UNCLOSED_STRING:
        return "unterminated string";
      default:
        return "not JSON";
    }
  }

  bool note_stage_one(simdjson::error_code error) {
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
      trouble_ = Error{Errc::kTooLarge, "JSON text too large"};
      return false;
    }
    if (error == simdjson::EMPTY) return bad_at(0, "empty body");
    const std::size_t at = find_invalid_utf8(text_);
    if (at != std::string_view::npos) return bad_at(at, "invalid UTF-8");
    return bad_at(error == simdjson::UNCLOSED_STRING ? text_.size() : 0, message(error));
  }

  bool unexpected(std::string_view wanted) {
    if (token_ == last_) return bad_at(text_.size(), "the object is cut");
    return bad_at(*token_, "not JSON: " + std::string(wanted) + " is missing");
  }

  bool too_deep() { return bad_at(*token_, "nested deeper than " + std::to_string(max_depth_)); }

  bool bad_at(std::size_t offset, std::string_view what) {
    trouble_ = Error{Errc::kInvalid, "byte " + std::to_string(offset) + ": " + std::string(what)};
    return false;
  }

  JsonTree& tree_;
  std::string_view text_;
  std::size_t max_depth_;
  Scratch& scratch_;
  char* base_ = nullptr;
  const std::uint32_t* token_ = nullptr;  // the next one
  const std::uint32_t* last_ = nullptr;   // behind all
  std::size_t backslash_ = 0;             // the first one at or behind the next token
  char* decoded_ = nullptr;               // room for the next string with escapes
  std::optional<Error> trouble_;
};

Result<> JsonTree::read(std::string_view text, std::size_t max_depth) {
  if (nodes_.capacity() > kMaxIdleNodes) nodes_ = {};
  return JsonReader(*this, text, max_depth).read();
}

std::size_t JsonTree::find(std::size_t object, std::string_view key) const {
  std::size_t found = kNone;
  each_member(object, [&](const JsonNode& name, std::size_t value) {
    if (name.text == key) found = value;
  });
  return found;
}

std::string_view JsonTree::string_at(std::size_t object, std::string_view key) const {
  const std::size_t value = find(object, key);
  return value != kNone && nodes_[value].is_string() ? nodes_[value].text : std::string_view();
}

std::optional<std::uint64_t> JsonTree::number(std::size_t index) const {
  if (index == kNone || nodes_[index].kind != JsonKind::kNumber) return std::nullopt;
  const std::string_view text = nodes_[index].text;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> JsonTree::number_at(std::size_t object, std::string_view key) const {
  return number(find(object, key));
}

JsonTree& thread_tree() {
  static thread_local JsonTree tree;
  return tree;
}

}  // namespace aispm::codec
