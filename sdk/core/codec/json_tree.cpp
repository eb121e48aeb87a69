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

namespace ondemand = simdjson::ondemand;

// Scratch memory above this is given back after use, so that one large body does not stay for ever.
constexpr std::size_t kMaxIdleScratchBytes = 4U << 20;
constexpr std::size_t kMaxIdleNodes = 64U << 10;
// Up to this many keys of an object are compared pair by pair, more are sorted.
constexpr std::size_t kMaxPairwiseKeys = 12;

struct Scratch {
  ondemand::parser parser;
  std::unique_ptr<char[]> padded;
  std::size_t capacity = 0;
  std::vector<std::string_view> keys;
};

Scratch& thread_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

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

tl::unexpected<Error> bad_at(std::size_t offset, std::string_view what) {
  return fail(Errc::kInvalid, "byte " + std::to_string(offset) + ": " + std::string(what));
}

}  // namespace

// One walk over a document. simdjson finds the tokens and checks UTF-8; each value is visited, so
// nothing stays unchecked.
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
    decoded_used_ = 0;

    auto result = read_document();
    if (scratch_.capacity > kMaxIdleScratchBytes) {
      scratch_.parser = ondemand::parser();
      scratch_.padded.reset();
      scratch_.capacity = 0;
    }
    return result;
  }

 private:
  Result<> read_document() {
    auto begun =
        scratch_.parser.iterate(base_, text_.size(), text_.size() + simdjson::SIMDJSON_PADDING);
    if (begun.error()) return stage_one_error(begun.error());
    document_ = &begun.value_unsafe();
    ondemand::object object;
    if (auto error = document_->get_object().get(object); error)
      return bad_at(first_token(),
                    error == simdjson::INCORRECT_TYPE ? "not a JSON object" : message(error));
    AISPM_TRY(const std::size_t root, open(JsonKind::kObject, first_token()));
    AISPM_CHECK(read_object(object, root, 1));
    // A location after the root means that tokens are left.
    if (!document_->current_location().error()) return bad_here("text after the end of the object");
    std::size_t end = text_.size();
    while (end > 0 && is_space(text_[end - 1])) --end;
    close(root, end);
    return {};
  }

  Result<> read_value(ondemand::value value, std::size_t depth) {
    const std::string_view token = value.raw_json_token();
    const std::size_t begin = offset(token.data());
    switch (token.empty() ? '\0' : token.front()) {
      case '{': {
        if (depth >= max_depth_) return too_deep(begin);
        ondemand::object object;
        if (auto error = value.get_object().get(object); error)
          return bad_at(begin, message(error));
        AISPM_TRY(const std::size_t node, open(JsonKind::kObject, begin));
        AISPM_CHECK(read_object(object, node, depth + 1));
        return close_nested(node);
      }
      case '[': {
        if (depth >= max_depth_) return too_deep(begin);
        ondemand::array array;
        if (auto error = value.get_array().get(array); error) return bad_at(begin, message(error));
        AISPM_TRY(const std::size_t node, open(JsonKind::kArray, begin));
        for (auto element : array) {
          if (element.error()) return bad_here(message(element.error()));
          AISPM_CHECK(read_value(element.value_unsafe(), depth + 1));
        }
        return close_nested(node);
      }
      case '"': {
        ondemand::raw_json_string raw;
        if (auto error = value.get_raw_json_string().get(raw); error)
          return bad_at(begin, message(error));
        return add_string(begin, trimmed_end(begin, token.size()), false);
      }
      default:
        return read_scalar(begin, trimmed_end(begin, token.size()));
    }
  }

  Result<> read_scalar(std::size_t begin, std::size_t end) {
    const std::string_view token = text_.substr(begin, end - begin);
    JsonNode node;
    if (token == "true" || token == "false") {
      node.kind = token == "true" ? JsonKind::kTrue : JsonKind::kFalse;
    } else if (token != "null") {
      if (!is_number(token)) return bad_at(begin, "not a JSON value");
      node.kind = JsonKind::kNumber;
    }
    // The value is not asked for, so that a number of any magnitude passes: the iteration steps
    // over it.
    node.text = token;
    node.begin = static_cast<std::uint32_t>(begin);
    node.end = static_cast<std::uint32_t>(end);
    add(node);
    return {};
  }

  Result<> read_object(ondemand::object& object, std::size_t node, std::size_t depth) {
    const std::size_t first_key = scratch_.keys.size();
    for (auto field : object) {
      if (field.error()) return bad_here(message(field.error()));
      const char* raw = field.value_unsafe().key().raw();  // after the quote
      const std::size_t begin = offset(raw) - 1;
      AISPM_CHECK(add_string(begin, string_end(begin), true));
      scratch_.keys.push_back(tree_.nodes_.back().text);
      AISPM_CHECK(read_value(field.value_unsafe().value(), depth));
    }
    if (has_duplicates(first_key))
      return bad_at(tree_.nodes_[node].begin, "repeated key in this object");
    scratch_.keys.resize(first_key);
    return {};
  }

  bool has_duplicates(std::size_t first) {
    const auto begin = scratch_.keys.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = scratch_.keys.end();
    if (static_cast<std::size_t>(end - begin) > kMaxPairwiseKeys) {
      std::sort(begin, end);
      return std::adjacent_find(begin, end) != end;
    }
    for (auto i = begin; i != end; ++i)
      if (std::find(i + 1, end, *i) != end) return true;
    return false;
  }

  Result<> add_string(std::size_t begin, std::size_t end, bool is_key) {
    if (end < begin + 2 || text_[end - 1] != '"') return bad_at(begin, "unterminated string");
    JsonNode node;
    node.kind = JsonKind::kString;
    node.is_key = is_key;
    node.begin = static_cast<std::uint32_t>(begin);
    node.end = static_cast<std::uint32_t>(end);
    node.text = text_.substr(begin + 1, end - begin - 2);
    if (node.text.find('\\') != std::string_view::npos) {
      // Decoding never grows, and all strings still to come lie behind `begin`.
      if (!tree_.decoded_) tree_.decoded_.reset(new char[text_.size() - begin]);
      char* out = tree_.decoded_.get() + decoded_used_;
      const auto size = unescape_into(node.text, out);
      if (!size) return bad_at(begin, "bad escape in a string");
      decoded_used_ += *size;
      node.text = {out, *size};
    }
    add(node);
    return {};
  }

  Result<std::size_t> open(JsonKind kind, std::size_t begin) {
    JsonNode node;
    node.kind = kind;
    node.begin = static_cast<std::uint32_t>(begin);
    tree_.nodes_.push_back(node);
    return tree_.nodes_.size() - 1;
  }

  void close(std::size_t node, std::size_t end) {
    tree_.nodes_[node].end = static_cast<std::uint32_t>(end);
    tree_.nodes_[node].next = static_cast<std::uint32_t>(tree_.nodes_.size());
  }

  // A nested value is always followed by another token; the bracket is the last byte before it that
  // is no space.
  Result<> close_nested(std::size_t node) {
    const char* next = nullptr;
    if (auto error = document_->current_location().get(next); error)
      return bad_at(text_.size(), "the object is cut");
    std::size_t end = offset(next);
    while (end > 0 && is_space(text_[end - 1])) --end;
    close(node, end);
    return {};
  }

  void add(JsonNode& node) {
    node.next = static_cast<std::uint32_t>(tree_.nodes_.size() + 1);
    tree_.nodes_.push_back(node);
  }

  std::size_t offset(const char* pointer) const {
    return std::min(static_cast<std::size_t>(pointer - base_), text_.size());
  }

  std::size_t first_token() const {
    std::size_t begin = 0;
    while (begin < text_.size() && is_space(text_[begin])) ++begin;
    return begin;
  }

  std::size_t trimmed_end(std::size_t begin, std::size_t token_size) const {
    std::size_t end = std::min(begin + token_size, text_.size());
    while (end > begin && is_space(text_[end - 1])) --end;
    return end;
  }

  // The end of the string token that begins at `begin`.
  std::size_t string_end(std::size_t begin) const {
    for (std::size_t i = begin + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        return i + 1;
      }
    }
    return text_.size();
  }

  static std::string message(simdjson::error_code error) {
    switch (error) {
      case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return "cut object or array";
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

  tl::unexpected<Error> stage_one_error(simdjson::error_code error) const {
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY)
      return fail(Errc::kTooLarge, "JSON text too large");
    if (error == simdjson::EMPTY) return bad_at(0, "empty body");
    const std::size_t at = find_invalid_utf8(text_);
    if (at != std::string_view::npos) return bad_at(at, "invalid UTF-8");
    return bad_at(error == simdjson::UNCLOSED_STRING ? text_.size() : 0, message(error));
  }

  tl::unexpected<Error> bad_here(std::string_view what) const {
    const char* location = nullptr;
    const bool known = !document_->current_location().get(location);
    return bad_at(known ? offset(location) : text_.size(), what);
  }

  tl::unexpected<Error> too_deep(std::size_t begin) const {
    return bad_at(begin, "nested deeper than " + std::to_string(max_depth_));
  }

  JsonTree& tree_;
  std::string_view text_;
  std::size_t max_depth_;
  Scratch& scratch_;
  char* base_ = nullptr;
  ondemand::document* document_ = nullptr;
  std::size_t decoded_used_ = 0;
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
