// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic_tokens.hpp"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <string>
#include <utility>

namespace aispm::detect {

struct SemanticTokens::Library {
  sentencepiece::SentencePieceProcessor processor;
};

SemanticTokens::SemanticTokens(std::unique_ptr<Library> library) : library_(std::move(library)) {}
SemanticTokens::SemanticTokens(SemanticTokens&&) noexcept = default;
SemanticTokens& SemanticTokens::operator=(SemanticTokens&&) noexcept = default;
SemanticTokens::~SemanticTokens() = default;

Result<SemanticTokens> SemanticTokens::open(std::string_view model) {
  auto library = std::make_unique<Library>();
  const auto status =
      library->processor.LoadFromSerializedProto(absl::string_view(model.data(), model.size()));
  if (!status.ok())
    return fail(Errc::kInvalid, std::string("semantic model: vocabulary: ") + status.message());
  if (library->processor.bos_id() < 0 || library->processor.eos_id() < 0)
    return fail(Errc::kInvalid, "semantic model: vocabulary without marks of begin and end");
  return SemanticTokens(std::move(library));
}

void SemanticTokens::split(std::string_view text, std::vector<Token>& tokens) const {
  tokens.clear();
  const auto result =
      library_->processor.EncodeAsImmutableProto(absl::string_view(text.data(), text.size()));
  const std::size_t count = result.pieces_size();
  tokens.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto piece = result.pieces(static_cast<int>(i));
    tokens.push_back({piece.id(), std::min<std::size_t>(piece.begin(), text.size()),
                      std::min<std::size_t>(piece.end(), text.size())});
  }
}

std::size_t SemanticTokens::size() const {
  return static_cast<std::size_t>(std::max(0, library_->processor.GetPieceSize()));
}
std::uint32_t SemanticTokens::begin_mark() const {
  return static_cast<std::uint32_t>(library_->processor.bos_id());
}
std::uint32_t SemanticTokens::end_mark() const {
  return static_cast<std::uint32_t>(library_->processor.eos_id());
}

}  // namespace aispm::detect
