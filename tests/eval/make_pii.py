# SPDX-License-Identifier: Apache-2.0
"""Writes labelled texts with personal data of many countries, for `./dev eval --data`: none of them was seen when the rules were written.

    pip install Faker==40.54.0 && python tests/eval/make_pii.py OUT [--rows 40] [--seed 7]

Values are Faker's; sentences, JSON, tables and log lines around them are ours. Numbers are shown with the word that names them three
times out of four. The same seed gives the same file, but for numbers with a date of birth, which counts from today. Harmless rows hold numbers that only look alike.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

SURFACES = ("user_prompt", "tool_result", "tool_call", "llm_output", "email", "document")
LOCALES = {"en_US": "US", "en_GB": "GB", "en_CA": "CA", "en_AU": "AU", "de_DE": "DE", "de_AT": "AT", "de_CH": "CH", "fr_FR": "FR", "it_IT": "IT",
           "es_ES": "ES", "nl_NL": "NL", "nl_BE": "BE", "pl_PL": "PL", "sv_SE": "SE", "da_DK": "DK", "no_NO": "NO", "fi_FI": "FI", "pt_BR": "BR",
           "pt_PT": "PT", "tr_TR": "TR", "ja_JP": "JP", "ko_KR": "KR", "zh_CN": "CN"}
# Faker's ssn(), or nif(), of these has the form and the check digits of the country's number.
NATIONAL = {"en_US": ("US_SSN", "SSN"), "en_CA": ("CA_SIN", "SIN"), "fr_FR": ("FR_NIR", "NIR"),
            "it_IT": ("IT_FISCAL_CODE", "codice fiscale"), "es_ES": ("ES_DNI", "DNI"), "nl_NL": ("NL_BSN", "BSN"), "pl_PL": ("PL_PESEL", "PESEL"),
            "sv_SE": ("SE_PERSONAL", "personnummer"), "no_NO": ("NO_BIRTH", "fødselsnummer"), "fi_FI": ("FI_PERSONAL", "henkilötunnus"),
            "pt_BR": ("BR_CPF", "CPF"), "tr_TR": ("TR_NATIONAL", "TC Kimlik No"), "ko_KR": ("KR_RESIDENT", "RRN"), "zh_CN": ("CN_RESIDENT", "ID card")}
BARE = ("{value}", "Please check {value} for me.", "{{\"customer\": 4711, \"value\": \"{value}\"}}", "Yes, that was {value}, I think.")
NAMED = ("{word}: {value}", "My {word} is {value}, can you update it?", "{{\"{word}\": \"{value}\", \"ok\": true}}", "Name;{word}\nKim;{value}\n",
         "The {word} on file is {value}.", "{word} = {value}")
CODE_FIRST = ("{street}\n{value} {city}", "Please ship it to {street}, {value} {city}.", "{{\"address\": \"{street}, {value} {city}\"}}",
              "Kim Novak\n{street}\n{value} {city}\n", "we moved to {value} {city} last year", "My address: {street}, {value} {city}")
CODE_LAST = ("{street}\n{city}, {region} {value}", "Please ship it to {street}, {city}, {region} {value}.", "{{\"address\": \"{street}, {city} {region} {value}\"}}",
             "Kim Novak\n{street}\n{city} {region} {value}\n", "My address: {street}, {city}, {region} {value}")
HARMLESS = ("Order {n8} left the warehouse on {date}.", "commit {hex40}", "Build {n4}.{n4}.{n2} took {n3} s", "SKU {n3}-{n2}-{n3}", "ISBN {n3}-{n1}-{n3}-{n5}-{n1}",
            "{{\"id\": {n10}, \"size\": {n6}, \"ts\": {n13}}}", "trace {hex32} span {hex16}", "Range {n3}-{n3}, offset {n7}", "version {n2}.{n1}.{n2}-{n4}",
            "Ticket {n6}: rows {n5} to {n6} failed", "At {n2}:{n2}:{n2}.{n6} the job {n12} ended", "part no. {n4}/{n4}-{n3}")


def _ask(fake: Any, name: str, **options: str) -> str:
    return str(getattr(fake, name)(**options))


def entities(faker: Callable[[str], Any], rows: int, dice: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """(type, word that names it, value, country)"""
    for locale, country in LOCALES.items():
        ask = partial(_ask, faker(locale))
        for _ in range(rows):
            yield "PHONE_NUMBER", dice.choice(("phone", "phone number", "mobile", "Tel")), ask("phone_number"), country
            if locale != "zh_CN":  # Faker gives British ones of the wrong length there
                yield "IBAN_CODE", "IBAN", ask("iban"), country
            if locale in NATIONAL:
                kind, word = NATIONAL[locale]
                yield kind, word, ask("nif" if kind == "ES_DNI" else "ssn"), country
        for _ in range(rows // 4):
            yield "STREET_ADDRESS", dice.choice(("address", "home address")), ask("street_address"), country
            yield "EMAIL_ADDRESS", "e-mail", ask("ascii_email"), country
    ask = partial(_ask, faker("en_US"))
    for _ in range(rows * 4):
        yield "CREDIT_CARD", dice.choice(("card", "credit card number")), ask("credit_card_number"), ""
        yield "IP_ADDRESS", "IP", ask("ipv4_public"), ""
        yield "IP_ADDRESS", "IP", ask("ipv6"), ""
        yield "MAC_ADDRESS", "MAC", ask("mac_address"), ""
        yield "DATE_OF_BIRTH", dice.choice(("date of birth", "birthday", "DOB", "born")), \
            ask("date", pattern=dice.choice(("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %B %Y"))), ""
        yield "US_PASSPORT", "passport number", ask("passport_number"), ""


def addresses(faker: Callable[[str], Any], rows: int, dice: random.Random) -> Iterator[tuple[str, str, str, str]]:
    """The same of postal codes: beside their name, or where letters have them; then `word` is the text around {value}."""
    for locale, country in LOCALES.items():
        ask = partial(_ask, faker(locale))
        for _ in range(rows // 4):
            yield "ZIP_CODE", dice.choice(("ZIP code", "postal code", "postcode", "zip", "postal_code")), ask("postcode"), country
            if country in ("JP", "KR", "CN"):
                continue
            street, city = (ask(name).replace("{", "").replace("}", "").replace("\n", ", ") for name in ("street_address", "city"))
            forms = CODE_LAST if country in ("US", "CA", "AU", "GB") else CODE_FIRST
            region = ask("state_abbr") if country in ("US", "AU") else ask("province_abbr") if country == "CA" else ""
            form = dice.choice(forms).replace("{street}", street).replace("{city}", city).replace(" {region}", f" {region}" if region else "")
            yield "ZIP_CODE", form, ask("postcode"), country


# A number that means nothing without its name is not shown without it.
NEEDS_NAME = {"ZIP_CODE", "DATE_OF_BIRTH", "US_PASSPORT", "CA_SIN", "FR_NIR", "NL_BSN", "PL_PESEL", "NO_BIRTH", "BR_CPF", "TR_NATIONAL", "KR_RESIDENT", "ES_DNI"}


def rows_of(faker: Callable[[str], Any], rows: int, dice: random.Random) -> Iterator[dict[str, object]]:
    for number, (kind, word, value, country) in enumerate((*entities(faker, rows, dice), *addresses(faker, rows, dice)), 1):
        value = value.replace("\n", ", ")
        named = kind in NEEDS_NAME or dice.random() < 0.75
        form = word if "{value}" in word else dice.choice(NAMED if named else BARE)
        text = form.format(word=word, value=value)
        start = len(form.partition("{value}")[0].format(word=word))
        yield {"id": f"pii-{number}", "text": text, "label": "pii", "surface": dice.choice(SURFACES), "source": "Faker", "licence": "MIT",
               "group": f"faker-{country or 'any'}", "entities": [{"type": kind, "start": start, "end": start + len(value)}]}
    digits = {f"n{size}": size for size in range(1, 14)}
    for index in range(rows * 40):
        fill: dict[str, str] = {name: "".join(dice.choice("0123456789") for _ in range(size)) for name, size in digits.items()}
        fill |= {f"hex{size}": "".join(dice.choice("0123456789abcdef") for _ in range(size)) for size in (16, 32, 40)}
        fill["date"] = f"20{dice.randint(10, 26)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        yield {"id": f"harmless-{index}", "text": dice.choice(HARMLESS).format(**fill), "label": "benign", "surface": dice.choice(SURFACES),
               "source": "numbers", "group": "numbers", "licence": "CC0-1.0", "hard": "hard_negative"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="directory to write pii.jsonl to")
    parser.add_argument("--rows", type=int, default=40, help="of each kind and country")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    try:
        from faker import Faker  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        print("make_pii: needs Faker: pip install Faker==40.54.0", file=sys.stderr)
        return 1
    Faker.seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "pii.jsonl").open("w", encoding="utf-8") as out:
        for row in rows_of(Faker, args.rows, random.Random(args.seed)):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
