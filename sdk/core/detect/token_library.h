/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece behind a C border. Debian's libsentencepiece carries its own copy of Protocol
 * Buffers and exports it, so a program that also links Protocol Buffers must not link it: it ends
 * before main(). token_library.cpp is a module that is loaded with names of its own
 * (semantic_tokens.cpp). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AISPM_TOKENS_VERSION 1

struct aispm_tokens;

struct aispm_token {
  uint32_t id;
  size_t begin; /* bytes in the text; may lie behind its end */
  size_t end;
};

typedef void (*aispm_token_sink)(void* context, const struct aispm_token* token);

struct aispm_token_library {
  uint32_t version; /* AISPM_TOKENS_VERSION */
  /* Null where `model`, a serialised ModelProto, is none: `error` (of `error_size` bytes) says why.
   */
  struct aispm_tokens* (*open)(const char* model, size_t size, char* error, size_t error_size);
  void (*close)(struct aispm_tokens* tokens);
  /* Any thread. */
  void (*split)(const struct aispm_tokens* tokens, const char* text, size_t size,
                aispm_token_sink sink, void* context);
  int32_t (*size)(const struct aispm_tokens* tokens);
  int32_t (*begin_mark)(const struct aispm_tokens* tokens); /* below 0: there is none */
  int32_t (*end_mark)(const struct aispm_tokens* tokens);
};

/* The module's one exported name. */
typedef const struct aispm_token_library* (*aispm_token_library_entry)(void);
#define AISPM_TOKENS_ENTRY "aispm_token_library_v1"

#ifdef __cplusplus
}
#endif
