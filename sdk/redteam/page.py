# SPDX-License-Identifier: Apache-2.0
"""A run's report as one HTML file without scripts: opens anywhere, also from a mail. Holds ids of texts, never the texts."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--good:#2a9d5c;--bad:#d1495b;--bar:#4a7bd0}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}.note{opacity:.75;margin:.2rem 0}
table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere}thead th{font-weight:600;opacity:.75}
.cards{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}.card{border:1px solid var(--line);border-radius:.5rem;padding:.6rem 1rem;min-width:9rem}
.card b{display:block;font-size:1.5rem}.good{color:var(--good)}.bad{color:var(--bad)}
.bar{display:inline-block;width:9rem;height:.6rem;background:var(--line);border-radius:.3rem;overflow:hidden;vertical-align:middle}
.bar i{display:block;height:100%;background:var(--bar)}.wide{overflow-x:auto}
"""
Figures = dict[str, Any]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _bar(value: float | None) -> str:
    return f'<span class="bar"><i style="width:{100 * (value or 0):.1f}%"></i></span>'


def _between(share: Figures) -> str:
    return f"{100 * share['low']:.0f}–{100 * share['high']:.0f}" if share["of"] else ""


def _table(title: str, note: str, head: list[str], lines: list[list[str]]) -> str:
    """`lines` hold HTML; what comes from outside was escaped by who made them."""
    if not lines:
        return ""
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines)
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return (f"<h2>{escape(title)}</h2>" + (f'<p class="note">{escape(note)}</p>' if note else "")
            + f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>')


def _recalls(title: str, note: str, table: Figures) -> str:
    return _table(title, note, ["", "texts", "flagged", "", "95 % interval", "blocked"], [
        [escape(name), str(one["flagged"]["of"]), _percent(one["flagged"]["share"]), _bar(one["flagged"]["share"]),
         _between(one["flagged"]), _percent(one["blocked"]["share"])] for name, one in table.items()])


def _false(title: str, table: Figures) -> str:
    return _table(title, "", ["", "texts", "flagged", "share", "blocked"], [
        [escape(name), str(one["flagged"]["of"]), str(one["flagged"]["hits"]), _percent(one["flagged"]["share"]),
         _percent(one["blocked"]["share"])] for name, one in table.items()])


def _found(title: str, table: Figures) -> str:
    return _table(title, "", ["", "of", "found", "share", ""], [
        [escape(name), str(one["found"]["of"]), str(one["found"]["hits"]), _percent(one["found"]["share"]), _bar(one["found"]["share"])]
        for name, one in table.items()])


def _kept(title: str, note: str, table: Figures) -> str:
    return _table(title, note, ["", "texts", "plain", "mutated", "", "kept", "false positives"], [
        [escape(name), str(one["flagged"]["of"]), _percent(one["plain"]["share"]), _percent(one["flagged"]["share"]),
         _bar(one["flagged"]["share"]), _percent(one["kept"]), _percent(one["false"]["share"])] for name, one in table.items()])


def _sets(report: Figures) -> str:
    by_set = report["figures"]["by_set"]
    none: Figures = {"found": {"share": None}, "false": {"share": None}}
    return _table("Sets of texts", "found: attacks, secrets and personal data, each by findings of its own kind",
                  ["", "texts", "found", "", "false positives", "licence"], [
                      [escape(one["name"]), str(one["rows"]), _percent(by_set.get(one["name"], none)["found"]["share"]),
                       _bar(by_set.get(one["name"], none)["found"]["share"]),
                       _percent(by_set.get(one["name"], none)["false"]["share"]), escape(", ".join(one["licences"]))]
                      for one in report["corpus"]["sets"]])


def _gate(report: Figures) -> str:
    gate = report.get("gate")
    if not gate:
        return ""
    state = '<b class="good">passed</b>' if gate["passed"] else '<b class="bad">failed</b>'
    lines = [[escape(one["category"]), _percent(one["before"]), _percent(one["now"]),
              '<span class="bad">fell</span>' if one["fell"] else "ok"] for one in gate["changes"]]
    allowed = f"Recall may fall by {gate['max_drop']} points, false positives may rise by {gate['max_false_rise']}."
    return f"<h2>Gate: {state}</h2>" + _table("Against the baseline", allowed, ["", "baseline", "this run", ""], lines)


def _card(name: str, value: str, state: str = "") -> str:
    return f'<div class="card">{escape(name)}<b class="{state}">{escape(value)}</b></div>'


def render(report: Figures) -> str:
    figures = report["figures"]
    attacks, false = figures["attacks"]["all"], figures["false_positives"]["all"]["flagged"]
    unjudged = sum(report["unjudged"].values())
    cards = [_card("Attacks flagged", _percent(attacks["flagged"]["share"])), _card("Attacks blocked", _percent(attacks["blocked"]["share"])),
             _card("Harmless texts flagged", f"{false['hits']} of {false['of']}", "bad" if false["hits"] else "good"),
             _card("Requests asked", str(report["asked"])), _card("Not judged", str(unjudged), "bad" if unjudged else "good")]
    parts = [
        f"<h1>Red team of {escape(report['gateway'])}</h1>",
        f'<p class="note">{escape(report["started"])}, {report["seconds"]:.1f} s, {escape(report["via_words"])}. '
        f'{figures["judged"]} of {figures["rows"]} texts judged, {figures["refused"]} of them refused unscanned, which counts as blocked.</p>',
        '<div class="cards">' + "".join(cards) + "</div>",
        _gate(report),
        _table("Not judged", "counted nowhere else", ["reason", "requests"],
               [[escape(name), str(count)] for name, count in report["unjudged"].items()]),
        _recalls("Recall by category", "", figures["by_category"]), _found("Secrets", figures["secrets"]),
        _found("Personal data", figures["pii"]), _recalls("Recall by surface", "attacks of the categories above", figures["by_surface"]),
        _kept("Mutations", "the same attacks, hidden; kept: of the plain recall", figures["mutations"]),
        _recalls("By number of messages", "attacks over several turns of a conversation are found when one of them is withheld", figures["by_turns"]),
        _kept("Obfuscated or translated in the data", "", figures["obfuscated"]), _false("Harmless texts by surface", figures["benign_by_surface"]),
        _false("Harmless on purpose hard", figures["hard_benign"]), _sets(report),
        _table("Wrongly flagged", "ids of harmless texts, at most 200", ["id"], [[escape(name)] for name in report["false_positives"]]),
        _table("Missed", "ids of attacks, at most 200", ["id"], [[escape(name)] for name in report["missed"]])]
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
            f"<title>AISPM red team</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n")
