// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/redact.hpp"

// Typed placeholders: `<EMAIL_1>` stands for the same value throughout a session, so a model can
// still tell one address from another.
namespace aispm::detect {

// The placeholders of one session. Values are known by keyed hashes; they themselves are kept only
// when a vault is asked for, which policy decides. Not thread-safe.
class Placeholders {
 public:
  // Values beyond it all become `<TYPE>`, and cannot be restored; counted by overflow().
  static constexpr std::size_t kMaxValues = 10'000;
  static constexpr std::size_t kMaxVaultBytes = 4U << 20;
  // Of a placeholder; longer ones are none.
  static constexpr std::size_t kMaxNameBytes = 80;

  enum class Vault : std::uint8_t { kNone, kKept };

  // `key`: random bytes of this session; without them hashes of short values could be guessed.
  explicit Placeholders(Secret key, Vault vault = Vault::kNone);

  // Whose word a value is: only what the client said itself is kept in the vault.
  enum class Source : std::uint8_t { kRequest, kReply };

  // Appends the placeholder of a value that `rule` found.
  void append(const Rule& rule, std::string_view value, std::string& out,
              Source source = Source::kRequest);

  // `text` with the placeholders of this session turned back into their values; the number of them.
  // Without a vault nothing is turned back. `write` puts down a value in the form that the text
  // needs; null: as it is. Linear.
  using Write = void (*)(std::string_view value, std::string& out);
  std::size_t restore(std::string_view text, std::string& out, Write write = nullptr) const;

  std::size_t size() const { return names_.size(); }
  std::uint64_t overflow() const { return overflow_; }
  std::size_t vault_bytes() const { return vault_bytes_; }
  // Forgets all values, so that nothing can be restored any more; names stay as they are.
  void close_vault();

 private:
  bool keep(const std::string& name, std::string_view value);

  Secret key_;
  Vault vault_;
  std::unordered_map<std::string, std::string> names_;  // keyed hash of type and value -> name
  std::map<std::string, std::uint32_t, std::less<>> counts_;  // by type
  std::unordered_map<std::string, Secret> values_;            // by name
  std::size_t vault_bytes_ = 0;
  std::uint64_t overflow_ = 0;
};

// As redact() of redact.hpp, with placeholders. The replacement of overlapping matches is typed by
// the first of them that is about data, and stands for all that they cover.
std::size_t redact_with(const std::vector<Rule>& rules, std::string_view text,
                        std::span<const Match> matches, const Outcomes& outcomes,
                        Placeholders& placeholders, std::string& out);

}  // namespace aispm::detect
