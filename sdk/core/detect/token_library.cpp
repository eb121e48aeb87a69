// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/token_library.h"

#include <sentencepiece_processor.h>

#include <cstdio>
#include <memory>

struct aispm_tokens {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

aispm_tokens* open_tokens(const char* model, size_t size, char* error, size_t error_size) {
  auto tokens = std::make_unique<aispm_tokens>();
  const auto status = tokens->processor.LoadFromSerializedProto(absl::string_view(model, size));
  if (status.ok()) return tokens.release();
  std::snprintf(error, error_size, "%s", status.message());
  return nullptr;
}

void close_tokens(aispm_tokens* tokens) { delete tokens; }

void split_tokens(const aispm_tokens* tokens, const char* text, size_t size, aispm_token_sink sink,
                  void* context) {
  const auto result = tokens->processor.EncodeAsImmutableProto(absl::string_view(text, size));
  const std::size_t count = result.pieces_size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto piece = result.pieces(static_cast<int>(i));
    const aispm_token token{piece.id(), piece.begin(), piece.end()};
    sink(context, &token);
  }
}

int32_t size_of(const aispm_tokens* tokens) { return tokens->processor.GetPieceSize(); }
int32_t begin_mark_of(const aispm_tokens* tokens) { return tokens->processor.bos_id(); }
int32_t end_mark_of(const aispm_tokens* tokens) { return tokens->processor.eos_id(); }

constexpr aispm_token_library kLibrary = {AISPM_TOKENS_VERSION, open_tokens, close_tokens,
                                          split_tokens,         size_of,     begin_mark_of,
                                          end_mark_of};

}  // namespace

extern "C" __attribute__((visibility("default"))) const aispm_token_library*
aispm_token_library_v1() {
  return &kLibrary;
}
