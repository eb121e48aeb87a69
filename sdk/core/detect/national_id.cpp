// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/national_id.hpp"

#include "sdk/core/detect/national_number.hpp"

namespace aispm::detect {

bool is_aba_routing(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(9)) return false;
  const long long district = n.number(0, 2);
  const bool issued = district <= 12 || (district >= 21 && district <= 32) ||
                      (district >= 61 && district <= 72) || district == 80;
  return issued && n.weighted({3, 7, 1, 3, 7, 1, 3, 7, 1}) % 10 == 0;
}

bool is_npi(std::string_view text) {
  const Compact n(text);
  return n.is_number(10) && (n.digit(0) == 1 || n.digit(0) == 2) && is_luhn(n, 0, 10, 24);
}

bool is_dea(std::string_view text) {
  const Compact n(text);
  if (n.size() != 9 || !is_letter(n.at(0)) || !n.digits(2, 7)) return false;
  return (n.weighted({1, 2, 1, 2, 1, 2}, 2)) % 10 == n.digit(8);
}

bool is_us_itin(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(9) || n.digit(0) != 9) return false;
  const long long group = n.number(3, 2);
  return (group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
         (group >= 90 && group <= 92) || (group >= 94 && group <= 99);
}

bool is_in_aadhaar(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(12) || n.digit(0) < 2) return false;
  constexpr std::array<std::array<std::uint8_t, 10>, 8> kPermute = {
      {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
       {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
       {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
       {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
       {9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
       {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
       {2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
       {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}}};
  const auto multiply = [](int a, int b) {
    if (a < 5) return b < 5 ? (a + b) % 5 : 5 + (a + b) % 5;
    return b < 5 ? 5 + (a - b) % 5 : (a - b + 5) % 5;
  };
  int check = 0;
  for (std::size_t i = 0; i < 12; ++i)
    check = multiply(check, kPermute[i % 8][static_cast<std::size_t>(n.digit(11 - i))]);
  return check == 0;
}

bool is_in_pan(std::string_view text) {
  const Compact n(text);
  if (n.size() != 10 || !n.digits(5, 4) || !is_letter(n.at(9))) return false;
  for (std::size_t i = 0; i < 5; ++i)
    if (!is_letter(n.at(i))) return false;
  constexpr std::string_view kHolders = "ABCEFGHJLPT";
  return kHolders.find(n.at(3)) != kHolders.npos && n.number(5, 4) != 0;
}

bool is_br_cpf(std::string_view text) {
  const Compact n(text);
  return n.is_number(11) && eleven(n.weighted({10, 9, 8, 7, 6, 5, 4, 3, 2})) == n.digit(9) &&
         eleven(n.weighted({11, 10, 9, 8, 7, 6, 5, 4, 3, 2})) == n.digit(10);
}

bool is_br_cnpj(std::string_view text) {
  const Compact n(text);
  return n.is_number(14) &&
         eleven(n.weighted({5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2})) == n.digit(12) &&
         eleven(n.weighted({6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2})) == n.digit(13);
}

bool is_au_tfn(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && n.weighted({1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0;
}

bool is_au_abn(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11) || n.digit(0) == 0) return false;
  return (n.weighted({10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19}) - 10) % 89 == 0;
}

bool is_au_medicare(std::string_view text) {
  const Compact n(text);
  if ((!n.is_number(10) && !n.is_number(11)) || n.digit(0) < 2 || n.digit(0) > 6) return false;
  return n.weighted({1, 3, 7, 9, 1, 3, 7, 9}) % 10 == n.digit(8);
}

bool is_ca_sin(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && n.digit(0) != 0 && n.digit(0) != 8 && is_luhn(n, 0, 9);
}

bool is_cn_resident(std::string_view text) {
  const Compact n(text);
  if (n.size() != 18 || !n.digits(0, 17) || !is_date(n.number(10, 2), n.number(12, 2)))
    return false;
  const long long year = n.number(6, 4);
  if (year < 1900 || year > 2100) return false;
  constexpr std::string_view kCheck = "10X98765432";
  const int sum = n.weighted({7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2});
  return kCheck[static_cast<std::size_t>(sum % 11)] == n.at(17);
}

bool is_kr_resident(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(13) || !is_date(n.number(2, 2), n.number(4, 2))) return false;
  return (11 - n.weighted({2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5}) % 11) % 10 == n.digit(12);
}

bool is_jp_my_number(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(12)) return false;
  return eleven(n.weighted({6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2})) == n.digit(11);
}

bool is_sg_nric(std::string_view text) {
  const Compact n(text);
  if (n.size() != 9 || !n.digits(1, 7) || !is_letter(n.at(8))) return false;
  const char kind = n.at(0);
  if (kind != 'S' && kind != 'T' && kind != 'F' && kind != 'G') return false;
  const int sum = n.weighted({2, 7, 6, 5, 4, 3, 2}, 1) + (kind == 'T' || kind == 'G' ? 4 : 0);
  constexpr std::string_view kCitizen = "JZIHGFEDCBA";
  constexpr std::string_view kForeign = "XWUTRQPNMLK";
  const auto rest = static_cast<std::size_t>(sum % 11);
  return (kind == 'S' || kind == 'T' ? kCitizen[rest] : kForeign[rest]) == n.at(8);
}

bool is_za_id(std::string_view text) {
  const Compact n(text);
  return n.is_number(13) && is_date(n.number(2, 2), n.number(4, 2)) && n.digit(10) <= 2 &&
         is_luhn(n, 0, 13);
}

bool is_tr_national(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11) || n.digit(0) == 0) return false;
  const int odd = n.weighted({1, 0, 1, 0, 1, 0, 1, 0, 1});
  const int even = n.weighted({0, 1, 0, 1, 0, 1, 0, 1});
  return (odd * 7 - even + 80) % 10 == n.digit(9) && (odd + even + n.digit(9)) % 10 == n.digit(10);
}

bool is_il_id(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && is_luhn(n, 0, 9);
}

bool is_mx_curp(std::string_view text) {
  const Compact n(text);
  if (n.size() != 18 || !n.digits(4, 6) || !n.digits(17, 1)) return false;
  if (!is_date(n.number(6, 2), n.number(8, 2)) || (n.at(10) != 'H' && n.at(10) != 'M'))
    return false;
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    // 0-9, A-N, (the letter N with tilde,) O-Z
    const char c = n.at(i);
    const int value = is_digit(c) ? c - '0' : c <= 'N' ? c - 'A' + 10 : c - 'A' + 11;
    sum += value * (18 - static_cast<int>(i));
  }
  return (10 - sum % 10) % 10 == n.digit(17);
}

bool is_cl_rut(std::string_view text) {
  const Compact n(text);
  if (n.size() < 8 || n.size() > 9 || !n.digits(0, n.size() - 1)) return false;
  if (n.number(0, n.size() - 1) < 1'000'000) return false;
  int sum = 0;
  int weight = 2;
  for (std::size_t i = n.size() - 1; i-- > 0; weight = weight == 7 ? 2 : weight + 1)
    sum += n.digit(i) * weight;
  const int check = 11 - sum % 11;
  const char expected = check == 11 ? '0' : check == 10 ? 'K' : static_cast<char>('0' + check);
  return n.at(n.size() - 1) == expected;
}

bool is_ar_cuit(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11)) return false;
  const long long kind = n.number(0, 2);
  if (kind != 20 && kind != 23 && kind != 24 && kind != 27 && kind != 30 && kind != 33 &&
      kind != 34)
    return false;
  const int check = 11 - n.weighted({5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return (check == 11 ? 0 : check == 10 ? 9 : check) == n.digit(10);
}

}  // namespace aispm::detect
