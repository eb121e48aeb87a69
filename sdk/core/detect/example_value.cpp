// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/example_value.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace aispm::detect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Six bits of base64 in either alphabet; -1 = none.
int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

}  // namespace

// Keys that vendors print in their manuals and build into their emulators and examples: everybody
// has them. Sources: AWS documentation, Azurite and the Cosmos DB emulator, Stripe's API reference,
// the sample projects of firebase-android-sdk (as gitleaks lists them), the examples of RFC 5849,
// 6455, 6749, 6750 and 7519, the token that jwt.io shows. Small letters.
bool is_published(std::string_view text) {
  constexpr std::string_view kKeys[] = {
      "9djdj82h48djs9d2",
      "kkk9d7dh3k39sjv7",
      "dghlihnhbxbszsbub25jzq",
      "s3pplmbitxaq9kygzzhzrbk+xoo",
      "2yotnfzfejr1zcsicmwpaa",
      "tgzv3jokf0xg5qx2tlkwia",
      "splxlobezqqybys6wxsbia",
      "czzcagrsa3f0mzpnwdfmqmf0m2jw",
      "mf_9.b5f-4.1jqm",
      "eyjpc3mioijqb2uila0kicjlehaiojezmda4mtkzodas",
      "eyjzdwiioiixmjm0nty3odkwiiwibmftzsi6ikpvag4grg9liiwiawf0ijoxnte2mjm5mdiyfq",
      "iosfodnn7example",
      "i44qh8dhbexample",
      "utnfemi/k7mdeng/bpxrficyexamplekey",
      "eby8vdm02xnocqflquwjpllmetlcdxj1ouzft50usrz6ifsufq2uverc",
      "c2y6ydjf5/r+ob0n8a7cgv30vrdjiwehlm+4qdu5de2nq9ndu",
      "sk_test_4ec39hqlyjwdarjtt1zdp7dc",
      "la7nfelquw1tjfpx_eqc",
      "ehvjf3pdurdt6d1ykomi",
      "ascliylx7f0npdeji1qm",
      "asb-2pezvqmkml6m9n6n",
      "xibfmlxbie6mczdlqaqi",
      "os2zb6ncsk1pcdz4-p6g",
      "wm6hmtmdywpgmnjrbjxc",
      "uvh9h9bsuccjsu2pcmek",
      "_ivawfq8abutznudcwer",
      "urcgxgwqftfai3no3t7l",
      "b51jiicb6ojpwwmicsek",
      "2rraim4a0mo64eshqfqf",
      "e-ooibhjyr83gm4r2mfc",
      "qgxt4ec15vitgn44duc5",
      "vmapnrhnfe0bapf4hoz1",
  };
  const auto same = [](char a, char b) { return lower(a) == b; };
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view key) {
    return std::search(text.begin(), text.end(), key.begin(), key.end(), same) != text.end();
  });
}

bool is_token_header(std::string_view text) {
  constexpr std::string_view kBegins[] = {"eyJhbGciOi", "eyJ0eXAiOi",
                                          "eyJraWQiOi"};  // alg, typ, kid
  return text.find('.') == std::string_view::npos &&
         std::any_of(std::begin(kBegins), std::end(kBegins),
                     [&](std::string_view begin) { return text.starts_with(begin); });
}

bool is_encoded_words(std::string_view text) {
  constexpr std::size_t kMinWords = 8;  // bytes
  while (text.ends_with('=')) text.remove_suffix(1);
  std::uint32_t bits = 0;
  unsigned held = 0;
  std::size_t decoded = 0;
  for (const char c : text) {
    const int six = sextet(c);
    if (six < 0) return false;
    bits = (bits << 6U) | static_cast<std::uint32_t>(six);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    const char byte = static_cast<char>((bits >> held) & 0xffU);
    if (!is_letter(byte) && std::string_view(" .,_-\n").find(byte) == std::string_view::npos)
      return false;
    ++decoded;
  }
  return decoded >= kMinWords;
}

bool is_alphabet(std::string_view text) {
  constexpr std::size_t kMinText = 20;
  constexpr std::size_t kMinRun = 5;
  std::size_t signs = 0;
  std::size_t covered = 0;
  std::size_t run = 0;
  char last = 0;
  for (const char raw : text) {
    const char c = lower(raw);
    if (!is_digit(c) && !is_letter(c)) continue;
    ++signs;
    run = is_letter(c) && c == last + 1 ? run + 1 : 1;
    last = is_letter(c) ? c : '\0';
    if (run >= kMinRun) covered += run == kMinRun ? kMinRun : 1;
  }
  return signs >= kMinText && covered * 3 >= signs;
}

bool repeats_group(std::string_view text) {
  constexpr std::size_t kMinGroup = 4;
  constexpr unsigned kTimes = 3;
  std::string_view last;
  unsigned times = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (is_digit(text[i]) || is_letter(text[i]))) continue;
    const std::string_view group = text.substr(begin, i - begin);
    times = group == last ? times + 1 : 1;
    if (times >= kTimes && group.size() >= kMinGroup &&
        std::all_of(group.begin(), group.end(), is_digit))
      return true;
    last = group;
    begin = i + 1;
  }
  return false;
}

}  // namespace aispm::detect
