// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/national_id.hpp"
#include "sdk/core/detect/national_number.hpp"

namespace aispm::detect {

bool is_uk_nhs(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(10)) return false;
  const int check = 11 - n.weighted({10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return check != 10 && check % 11 == n.digit(9);
}

bool is_uk_nino(std::string_view text) {
  const Compact n(text);
  if (n.size() != 9 || !is_letter(n.at(0)) || !is_letter(n.at(1)) || !n.digits(2, 6)) return false;
  constexpr std::string_view kNever = "DFIQUV";
  if (kNever.find(n.at(0)) != kNever.npos || kNever.find(n.at(1)) != kNever.npos) return false;
  if (n.at(1) == 'O' || n.at(8) < 'A' || n.at(8) > 'D') return false;
  for (const std::string_view pair : {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
    if (n.at(0) == pair[0] && n.at(1) == pair[1]) return false;
  return true;
}

bool is_de_tax_id(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11) || n.digit(0) == 0) return false;
  std::array<int, 10> seen{};
  int product = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    ++seen[static_cast<std::size_t>(n.digit(i))];
    const int sum = (n.digit(i) + product) % 10;
    product = (sum == 0 ? 10 : sum) * 2 % 11;
  }
  int repeated = 0;
  for (const int count : seen) {
    if (count > 3) return false;
    repeated += count > 1 ? 1 : 0;
  }
  return repeated == 1 && (11 - product) % 10 == n.digit(10);
}

bool is_de_id_card(std::string_view text) {
  const Compact n(text);
  if (n.size() != 10 || !n.digits(9, 1)) return false;
  constexpr std::array<int, 3> kWeights = {7, 3, 1};
  int sum = 0;
  bool has_digit = false;
  for (std::size_t i = 0; i < 9; ++i) {
    has_digit = has_digit || is_digit(n.at(i));
    sum += kWeights[i % 3] * (is_digit(n.at(i)) ? n.digit(i) : n.at(i) - 'A' + 10);
  }
  return has_digit && is_letter(n.at(0)) && sum % 10 == n.digit(9);
}

bool is_fr_nir(std::string_view text) {
  const Compact n(text);
  if (n.size() != 15 || !n.digits(0, 5) || !n.digits(7, 8)) return false;
  long long body = 0;
  for (std::size_t i = 0; i < 13; ++i) {
    const bool corsica = i == 6 && n.at(5) == '2' && (n.at(6) == 'A' || n.at(6) == 'B');
    if (!is_digit(n.at(i)) && !corsica) return false;
    body = body * 10 + (corsica ? 0 : n.digit(i));
  }
  if (n.at(6) == 'A') body -= 1000000;
  if (n.at(6) == 'B') body -= 2000000;
  const long long month = n.number(3, 2);
  const bool born = (month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50;
  return born && n.digit(0) != 0 && 97 - body % 97 == n.number(13, 2);
}

bool is_es_dni(std::string_view text) {
  const Compact n(text);
  constexpr std::string_view kLetters = "TRWAGMYFPDXBNJZSQVHLCKE";
  if (n.size() != 9 || !n.digits(1, 7) || !is_letter(n.at(8))) return false;
  long long number = n.number(1, 7);
  if (n.at(0) >= 'X' && n.at(0) <= 'Z')
    number += (n.at(0) - 'X') * 10000000LL;
  else if (is_digit(n.at(0)))
    number += n.digit(0) * 10000000LL;
  else
    return false;
  return number != 0 && kLetters[static_cast<std::size_t>(number % 23)] == n.at(8);
}

bool is_it_fiscal_code(std::string_view text) {
  const Compact n(text);
  if (n.size() != 16 || !is_letter(n.at(15))) return false;
  constexpr std::array<int, 26> kOdd = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const char c = n.at(i);
    const bool name = i < 6 || i == 8 || i == 11;
    if (name && !is_letter(c)) return false;
    const int value = is_digit(c) ? c - '0' : c - 'A';
    sum += i % 2 == 0 ? kOdd[static_cast<std::size_t>(value)] : value;
  }
  return n.at(15) - 'A' == sum % 26;
}

bool is_nl_bsn(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && n.weighted({9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0;
}

bool is_be_national(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11)) return false;
  const long long body = n.number(0, 9);
  const long long check = n.number(9, 2);
  return n.number(2, 2) <= 12 && n.number(4, 2) <= 31 &&
         (97 - body % 97 == check || 97 - (2000000000LL + body) % 97 == check);
}

bool is_pt_nif(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(9) || n.digit(0) == 0 || n.digit(0) == 4) return false;
  return eleven(n.weighted({9, 8, 7, 6, 5, 4, 3, 2})) == n.digit(8);
}

bool is_ch_ahv(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(13) || n.number(0, 3) != 756) return false;
  return n.weighted({1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1}) % 10 == 0;
}

bool is_at_social(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(10) || n.digit(0) == 0 || n.number(6, 2) > 15 || n.number(4, 2) > 31)
    return false;
  return (n.weighted({3, 7, 9}) + n.weighted({5, 8, 4, 2, 1, 6}, 4)) % 11 == n.digit(3);
}

bool is_pl_pesel(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11) || !is_date(n.number(2, 2) % 20, n.number(4, 2))) return false;
  return n.weighted({1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1}) % 10 == 0;
}

bool is_se_personal(std::string_view text) {
  const Compact n(text);
  const std::size_t from = n.size() == 12 ? 2 : 0;
  if (!n.is_number(n.size()) || (n.size() != 10 && n.size() != 12)) return false;
  const long long day = n.number(from + 4, 2);
  return is_date(n.number(from + 2, 2), day > 60 ? day - 60 : day) && is_luhn(n, from, 10);
}

bool is_fi_personal(std::string_view text) {
  if (text.size() != 11) return false;
  constexpr std::string_view kCheck = "0123456789ABCDEFHJKLMNPRSTUVWXY";
  long long number = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == 6) continue;
    if (!is_digit(text[i])) return false;
    number = number * 10 + (text[i] - '0');
  }
  const int day = (text[0] - '0') * 10 + (text[1] - '0');
  const int month = (text[2] - '0') * 10 + (text[3] - '0');
  return is_date(month, day) && kCheck[static_cast<std::size_t>(number % 31)] == upper(text[10]);
}

bool is_dk_cpr(std::string_view text) {
  const Compact n(text);
  return n.is_number(10) && is_date(n.number(2, 2), n.number(0, 2));
}

bool is_no_birth(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(11)) return false;
  return n.weighted({3, 7, 6, 1, 8, 9, 4, 5, 2, 1}) % 11 == 0 &&
         n.weighted({5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1}) % 11 == 0;
}

bool is_ro_cnp(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(13) || n.digit(0) == 0 || !is_date(n.number(3, 2), n.number(5, 2))) return false;
  const int rest = n.weighted({2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9}) % 11;
  return (rest == 10 ? 1 : rest) == n.digit(12);
}

// Months from 20 on are of the 19th century, from 40 on of the 21st.
bool is_bg_egn(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(10) || n.number(2, 2) > 52 || !is_date(n.number(2, 2) % 20, n.number(4, 2)))
    return false;
  return n.weighted({2, 4, 8, 5, 10, 9, 7, 3, 6}) % 11 % 10 == n.digit(9);
}

bool is_gr_afm(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && n.weighted({256, 128, 64, 32, 16, 8, 4, 2}) % 11 % 10 == n.digit(8);
}

bool is_gr_amka(std::string_view text) {
  const Compact n(text);
  return n.is_number(11) && is_date(n.number(2, 2), n.number(0, 2)) && is_luhn(n, 0, 11);
}

bool is_hu_taj(std::string_view text) {
  const Compact n(text);
  return n.is_number(9) && n.weighted({3, 7, 3, 7, 3, 7, 3, 7}) % 10 == n.digit(8);
}

// Of women 50 is added to the month, and 20 where a day has no numbers left. In some numbers of up
// to 1985 the check digit is 0 for a remainder of 10.
bool is_cz_birth(std::string_view text) {
  const Compact n(text);
  if (!n.is_number(10)) return false;
  long long month = n.number(2, 2);
  if (month > 50) month -= 50;
  if (month > 20) month -= 20;
  if (!is_date(month, n.number(4, 2))) return false;
  return n.number(0, 10) % 11 == 0 || (n.number(0, 9) % 11 == 10 && n.digit(9) == 0);
}

// The first weight is given as -1, which is 10 where 11 is taken away.
bool is_ua_tax(std::string_view text) {
  const Compact n(text);
  return n.is_number(10) && n.weighted({10, 5, 7, 9, 4, 6, 10, 5, 7}) % 11 % 10 == n.digit(9);
}

}  // namespace aispm::detect
