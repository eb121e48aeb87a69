/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* The policy engine of AISPM within a program: libaispm.so.0.
 *
 * What it says is advice: whoever runs in this process may not ask, or not listen. Gateway, sandbox and kernel enforce.
 *
 * Texts are UTF-8 with their length in bytes; texts that are given out end with NUL and go back to aispm_text_free().
 * All functions may be called by any thread; a policy is never changed after it was opened. */
#ifdef __cplusplus
extern "C" {
#endif

typedef struct aispm_policy aispm_policy;

/* Loads a bundle (docs/policy-language.md). `keys`: public keys (PEM, ended by NUL) of which one must have signed it;
 * with `key_count` 0 a signature is not asked for. NULL on errors; then `*error` says what is wrong. */
aispm_policy *aispm_policy_open(const char *folder, const char *const *keys, size_t key_count, char **error);
/* The same with the collector's registry of agents and tools beside the bundle, as gateways have it: `registry` is the
 * folder that `aispm policy show aispm.registry --out FOLDER` writes, read once. With keys it must be signed, too. */
aispm_policy *aispm_policy_open_with_registry(const char *folder, const char *registry, const char *const *keys,
                                              size_t key_count, char **error);
void aispm_policy_close(aispm_policy *policy);

/* SHA-256 (hex) of the bundle; lives as long as the policy. */
const char *aispm_policy_version(const aispm_policy *policy);

/* May this action happen? `action`: JSON as `aispm policy decide` takes it. The answer is JSON:
 * {"outcome": "allow", "rule": "", "reason": "", "approver_role": "", "policy_version": ""}. What cannot be read is denied
 * with rule "action.unreadable". NULL only when there is no memory. */
char *aispm_policy_decide(const aispm_policy *policy, const char *action, size_t size);

/* The same for a shell command line: {"outcome", "rule", "reason", "command"}. */
char *aispm_policy_command(const aispm_policy *policy, const char *line, size_t size);

void aispm_text_free(char *text);

#ifdef __cplusplus
}
#endif
