// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/national_id.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxDigits = 20;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Letters and digits of a number as written, upper case; nothing when other signs than the usual
// separators stand in it or it is too long.
class Compact {
 public:
  explicit Compact(std::string_view text) {
    for (const char c : text) {
      if (c == ' ' || c == '-' || c == '.' || c == '/' || c == '+') continue;
      if (size_ == kMaxDigits || (!is_digit(c) && !is_letter(c))) {
        size_ = 0;
        return;
      }
      all_[size_++] = upper(c);
    }
  }
  std::size_t size() const { return size_; }
  char at(std::size_t i) const { return all_[i]; }
  int digit(std::size_t i) const { return all_[i] - '0'; }
  // Value of `count` digits from `from`.
  long long number(std::size_t from, std::size_t count) const {
    long long value = 0;
    for (std::size_t i = from; i < from + count; ++i) value = value * 10 + digit(i);
    return value;
  }
  bool digits(std::size_t from, std::size_t count) const {
    if (from + count > size_) return false;
    for (std::size_t i = from; i < from + count; ++i)
      if (!is_digit(all_[i])) return false;
    return true;
  }
  // Exactly `count` digits that are not all the same.
  bool is_number(std::size_t count) const {
    if (size_ != count || !digits(0, count)) return false;
    for (std::size_t i = 1; i < count; ++i)
      if (all_[i] != all_[0]) return true;
    return false;
  }
  int weighted(std::initializer_list<int> weights, std::size_t from = 0) const {
    int sum = 0;
    for (const int weight : weights) sum += weight * digit(from++);
    return sum;
  }

 private:
  std::array<char, kMaxDigits> all_{};
  std::size_t size_ = 0;
};

bool is_luhn(const Compact& number, std::size_t from, std::size_t count, int start = 0) {
  int sum = start;
  for (std::size_t i = 0; i < count; ++i) {
    int digit = number.digit(from + count - 1 - i);
    if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

bool is_date(long long month, long long day) {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

// A modulo-11 check digit where 10 stands for 0.
int eleven(int sum) {
  const int rest = sum % 11;
  return rest < 2 ? 0 : 11 - rest;
}

}  // namespace

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

// Verhoeff, "Error detecting decimal codes" (1969): the dihedral group D5.
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
