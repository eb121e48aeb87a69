// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/validate.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "sdk/core/detect/address.hpp"
#include "sdk/core/detect/example_value.hpp"
#include "sdk/core/detect/national_id.hpp"
#include "sdk/core/detect/secret_value.hpp"

namespace aispm::detect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// ISO/IEC 7812-1 annex B, over the digits of the text.
bool passes_luhn(std::string_view text) {
  unsigned sum = 0;
  unsigned count = 0;
  bool all_same = true;
  char first = 0;
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    if (!is_digit(*c)) continue;
    if (first == 0) first = *c;
    all_same = all_same && *c == first;
    unsigned digit = static_cast<unsigned>(*c - '0');
    if (count++ % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return count >= 12 && count <= 19 && sum % 10 == 0 && !all_same;
}

// ISO 13616: country, its length, and mod 97. Lengths from the IBAN registry.
struct IbanLength {
  char country[3];
  std::uint8_t length;
};
constexpr IbanLength kIbanLengths[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
    {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
    {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
    {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}};

bool passes_iban(std::string_view text) {
  std::array<char, 34> compact{};
  std::size_t size = 0;
  for (const char c : text) {
    if (c == ' ' || c == '-') continue;
    if (size == compact.size() || (!is_digit(c) && !is_letter(c))) return false;
    compact[size++] = static_cast<char>(is_letter(c) ? lower(c) - 32 : c);
  }
  if (size < 15) return false;
  const std::string_view country(compact.data(), 2);
  const auto known =
      std::find_if(std::begin(kIbanLengths), std::end(kIbanLengths),
                   [&](const IbanLength& entry) { return entry.country == country; });
  if (known == std::end(kIbanLengths) || known->length != size) return false;
  unsigned rest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = compact[(i + 4) % size];  // the first four characters count last
    rest = is_digit(c) ? (rest * 10 + static_cast<unsigned>(c - '0')) % 97
                       : (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
  }
  return rest == 1;
}

// Ranges that the Social Security Administration never issues.
bool passes_ssn(std::string_view text) {
  std::string_view::size_type count = 0;
  std::array<char, 9> digits{};
  for (const char c : text) {
    if (!is_digit(c)) continue;
    if (count == digits.size()) return false;
    digits[count++] = c;
  }
  if (count != digits.size()) return false;
  const std::string_view all(digits.data(), digits.size());
  const std::string_view area = all.substr(0, 3);
  if (area == "000" || area == "666" || area[0] == '9') return false;
  if (all.substr(3, 2) == "00" || all.substr(5) == "0000") return false;
  return all != "123456789" && all != "078051120" && all != "111111111" && all != "219099999";
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

// The last six characters of a GitHub or npm token are the CRC-32 of what stands between prefix and
// them, in base 62. Source: GitHub, "Behind GitHub's new authentication token formats" (2021).
bool passes_github(std::string_view text) {
  const auto split = text.find('_');
  if (split == std::string_view::npos || text.size() < split + 1 + 30 + 6) return false;
  const std::string_view body = text.substr(split + 1, text.size() - split - 7);
  constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint32_t crc = crc32(body);
  std::array<char, 6> expected{};
  for (auto place = expected.rbegin(); place != expected.rend(); ++place, crc /= 62)
    *place = kDigits[crc % 62];
  return text.substr(text.size() - 6) == std::string_view(expected.data(), expected.size());
}

// An AWS key id is four letters and 16 base-32 digits, never all of one kind of run.
bool passes_aws(std::string_view text) {
  if (text.size() < 20) return false;
  std::uint32_t seen = 0;
  for (const char c : text.substr(4)) {
    const bool valid = (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
    if (!valid) return false;
    seen |= 1U << (is_digit(c) ? 26 + c - '2' : c - 'A');
  }
  return __builtin_popcount(seen) >= 6;
}

struct Name {
  std::string_view name;
  bool (*test)(std::string_view);
  bool shortens = false;
};
constexpr Name kNames[] = {
    {"luhn", passes_luhn, true},
    {"iban", passes_iban, true},
    {"ssn", passes_ssn},
    {"github_checksum", passes_github},
    {"aws_key_id", passes_aws},
    {"not_dummy", is_no_dummy},
    {"not_alphabet", [](std::string_view text) { return !is_alphabet(text); }},
    {"not_published", [](std::string_view text) { return !is_published(text); }},
    {"not_placeholder", is_no_placeholder},
    {"not_reference", is_no_reference},
    {"mixed", is_mixed},
    {"random", is_random},
    {"password", is_password},
    {"strong_password", is_strong_password},
    {"not_password_word", is_no_password_word},
    {"phrase", is_phrase},
    {"solid", is_solid},
    {"phone", is_phone},
    {"base58_check", is_base58_check},
    {"bech32", is_bech32},
    {"ipv6", is_ipv6},
    {"aba_routing", is_aba_routing},
    {"npi", is_npi},
    {"dea", is_dea},
    {"us_itin", is_us_itin},
    {"uk_nhs", is_uk_nhs},
    {"uk_nino", is_uk_nino},
    {"de_tax_id", is_de_tax_id},
    {"de_id_card", is_de_id_card},
    {"fr_nir", is_fr_nir},
    {"es_dni", is_es_dni},
    {"it_fiscal_code", is_it_fiscal_code},
    {"nl_bsn", is_nl_bsn},
    {"be_national", is_be_national},
    {"pt_nif", is_pt_nif},
    {"ch_ahv", is_ch_ahv},
    {"at_social", is_at_social},
    {"pl_pesel", is_pl_pesel},
    {"se_personal", is_se_personal},
    {"fi_personal", is_fi_personal},
    {"dk_cpr", is_dk_cpr},
    {"no_birth", is_no_birth},
    {"ro_cnp", is_ro_cnp},
    {"bg_egn", is_bg_egn},
    {"gr_afm", is_gr_afm},
    {"gr_amka", is_gr_amka},
    {"hu_taj", is_hu_taj},
    {"cz_birth", is_cz_birth},
    {"ua_tax", is_ua_tax},
    {"in_aadhaar", is_in_aadhaar},
    {"in_pan", is_in_pan},
    {"br_cpf", is_br_cpf},
    {"br_cnpj", is_br_cnpj},
    {"au_tfn", is_au_tfn},
    {"au_abn", is_au_abn},
    {"au_medicare", is_au_medicare},
    {"ca_sin", is_ca_sin},
    {"cn_resident", is_cn_resident},
    {"kr_resident", is_kr_resident},
    {"jp_my_number", is_jp_my_number},
    {"sg_nric", is_sg_nric},
    {"za_id", is_za_id},
    {"tr_national", is_tr_national},
    {"il_id", is_il_id},
    {"mx_curp", is_mx_curp},
    {"cl_rut", is_cl_rut},
    {"ar_cuit", is_ar_cuit},
};

}  // namespace

std::optional<Validator> parse_validator(std::string_view text) {
  Validator validator;
  if (text.ends_with('?')) {
    validator.required = false;
    text.remove_suffix(1);
  }
  constexpr std::string_view kEntropy = "entropy>=";
  if (text.starts_with(kEntropy)) {
    const std::string number(text.substr(kEntropy.size()));
    char* end = nullptr;
    validator.minimum = std::strtod(number.c_str(), &end);
    const bool valid =
        !number.empty() && *end == '\0' && validator.minimum > 0 && validator.minimum <= 8;
    return valid ? std::optional(validator) : std::nullopt;
  }
  for (const Name& entry : kNames) {
    if (entry.name != text) continue;
    validator.test = entry.test;
    validator.shortens = entry.shortens;
    return validator;
  }
  return std::nullopt;
}

std::string validator_words() {
  std::string words;
  for (const Name& entry : kNames) words += std::string(entry.name) + ", ";
  return words + "entropy>=N";
}

bool passes(const Validator& validator, std::string_view matched) {
  return validator.test != nullptr ? validator.test(matched)
                                   : entropy(matched) >= validator.minimum;
}

Validation validate(std::span<const Validator> validators, std::string_view matched) {
  if (validators.empty()) return Validation::kNone;
  Validation result = Validation::kPassed;
  for (const Validator& validator : validators) {
    if (passes(validator, matched)) continue;
    if (validator.required) return Validation::kFailed;
    result = Validation::kAdvisoryFailed;
  }
  return result;
}

bool retries_shorter(std::span<const Validator> validators) {
  return std::any_of(validators.begin(), validators.end(),
                     [](const Validator& validator) { return validator.shortens; });
}

}  // namespace aispm::detect
