/* SPDX-License-Identifier: Apache-2.0 */
/* C ABI of the static library in this folder (src/lib.rs): Rego by `regorus`, shell grammar by
 * `brush-parser`, JSON Schema by `jsonschema`.
 * Any thread. What is returned in aispm_bytes is the caller's and freed by aispm_bytes_free. Functions that
 * return int return 0 with a value, or 1 with a sentence of what was wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct aispm_bytes {
  uint8_t* data;
  size_t size;
};
struct aispm_rego;
struct aispm_schema;

void aispm_bytes_free(struct aispm_bytes bytes);

/* JSON: {"commands": [{"words": [{"text", "fixed"}], "assigns": [{"name", "text", "fixed"}],
 * "redirects": [{"op", "text", "fixed"}], "piped", "depth"}]} or {"opaque": "why it cannot be said"}. */
int aispm_shell_parse(const uint8_t* text, size_t size, struct aispm_bytes* out);

/* modules: JSON [{"name", "text"}]; data: a JSON object; limit_us: of one evaluation. */
int aispm_rego_compile(const uint8_t* modules, size_t modules_size, const uint8_t* data,
                       size_t data_size, uint64_t limit_us, struct aispm_rego** engine,
                       struct aispm_bytes* error);
/* out: the rule's value as JSON, "null" where it is undefined. */
int aispm_rego_evaluate(const struct aispm_rego* engine, const uint8_t* rule, size_t rule_size,
                        const uint8_t* input, size_t input_size, struct aispm_bytes* out);
/* out: JSON list of package paths. */
int aispm_rego_packages(const struct aispm_rego* engine, struct aispm_bytes* out);
/* out: JSON object of the `decision` rules that are not run as a program, each with the reason. */
int aispm_rego_interpreted(const struct aispm_rego* engine, struct aispm_bytes* out);
void aispm_rego_free(struct aispm_rego* engine);
/* Bytes that all of this process's Rego may hold; 0: no limit. */
void aispm_rego_limit_memory(uint64_t bytes);

/* Any draft; 2020-12 where `$schema` names none. Nothing is fetched: a reference to elsewhere is an error. */
int aispm_schema_compile(const uint8_t* text, size_t size, struct aispm_schema** schema,
                         struct aispm_bytes* error);
/* error: the first thing that is wrong with the JSON text, with its place, without its values. */
int aispm_schema_check(const struct aispm_schema* schema, const uint8_t* text, size_t size,
                       struct aispm_bytes* error);
void aispm_schema_free(struct aispm_schema* schema);

#ifdef __cplusplus
}
#endif
