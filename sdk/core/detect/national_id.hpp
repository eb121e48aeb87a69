// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Check digits of numbers that states and banks give to people and companies. Each function takes
// the number as written (spaces, dots, dashes and slashes do not count) and says whether its
// length, its never-issued ranges and its check digits are right. Pure; any bytes.
namespace aispm::detect {

bool is_aba_routing(std::string_view text);     // US bank, 3-7-1 modulo 10
bool is_npi(std::string_view text);             // US health provider, Luhn with 80840
bool is_dea(std::string_view text);             // US prescriber
bool is_us_itin(std::string_view text);         // US tax payer without SSN, 9xx-(50..99)-xxxx
bool is_uk_nhs(std::string_view text);          // modulo 11
bool is_uk_nino(std::string_view text);         // never-issued prefixes
bool is_de_tax_id(std::string_view text);       // Steuer-ID, ISO 7064 modulo 11, 10
bool is_de_id_card(std::string_view text);      // Personalausweis, 7-3-1
bool is_fr_nir(std::string_view text);          // 97 minus modulo 97
bool is_es_dni(std::string_view text);          // DNI and NIE, modulo 23 letter
bool is_it_fiscal_code(std::string_view text);  // control letter
bool is_nl_bsn(std::string_view text);          // eleven test
bool is_be_national(std::string_view text);     // 97 minus modulo 97
bool is_pt_nif(std::string_view text);          // modulo 11
bool is_ch_ahv(std::string_view text);          // EAN-13 that starts with 756
bool is_at_social(std::string_view text);       // modulo 11
bool is_pl_pesel(std::string_view text);        // 1-3-7-9 and a date
bool is_se_personal(std::string_view text);     // Luhn and a date
bool is_fi_personal(std::string_view text);     // modulo 31 character and a date
bool is_dk_cpr(std::string_view text);          // a date (modulo 11 ended in 2007)
bool is_no_birth(std::string_view text);        // two modulo 11 digits
bool is_ro_cnp(std::string_view text);          // modulo 11 and a date
bool is_bg_egn(std::string_view text);          // modulo 11 and a date
bool is_gr_afm(std::string_view text);          // modulo 11
bool is_gr_amka(std::string_view text);         // Luhn and a date
bool is_hu_taj(std::string_view text);          // 3-7, modulo 10
bool is_cz_birth(std::string_view text);        // also Slovakia: since 1954, modulo 11 and a date
bool is_ua_tax(std::string_view text);          // modulo 11
bool is_in_aadhaar(std::string_view text);      // Verhoeff
bool is_in_pan(std::string_view text);          // holder letter
bool is_br_cpf(std::string_view text);          // two modulo 11 digits
bool is_br_cnpj(std::string_view text);         // two modulo 11 digits
bool is_au_tfn(std::string_view text);          // modulo 11
bool is_au_abn(std::string_view text);          // modulo 89
bool is_au_medicare(std::string_view text);     // modulo 10
bool is_ca_sin(std::string_view text);          // Luhn
bool is_cn_resident(std::string_view text);     // ISO 7064 modulo 11-2 and a date
bool is_kr_resident(std::string_view text);     // modulo 11 and a date
bool is_jp_my_number(std::string_view text);    // modulo 11
bool is_sg_nric(std::string_view text);         // modulo 11 letter
bool is_za_id(std::string_view text);           // Luhn and a date
bool is_tr_national(std::string_view text);     // modulo 10, twice
bool is_il_id(std::string_view text);           // Luhn
bool is_mx_curp(std::string_view text);         // modulo 10
bool is_cl_rut(std::string_view text);          // modulo 11
bool is_ar_cuit(std::string_view text);         // modulo 11

}  // namespace aispm::detect
