// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Words and parts of words as the encoder knows them.
namespace aispm::detect {

struct Token {
  std::uint32_t id = 0;   // below SemanticTokens::size()
  std::size_t begin = 0;  // bytes in the text
  std::size_t end = 0;
  bool operator==(const Token&) const = default;
};

// A SentencePiece unigram model, by SentencePiece's own library. Immutable; any thread.
class SemanticTokens {
 public:
  // `model` is a serialised ModelProto.
  static Result<SemanticTokens> open(std::string_view model);
  SemanticTokens(SemanticTokens&&) noexcept;
  SemanticTokens& operator=(SemanticTokens&&) noexcept;
  ~SemanticTokens();

  // Replaces `tokens`. Any bytes are allowed. Linear in the text. No marks are added.
  void split(std::string_view text, std::vector<Token>& tokens) const;

  std::size_t size() const;  // ids
  std::uint32_t begin_mark() const;
  std::uint32_t end_mark() const;

 private:
  struct Library;
  explicit SemanticTokens(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace aispm::detect
