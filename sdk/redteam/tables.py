# SPDX-License-Identifier: Apache-2.0
"""The report of ./dev eval as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Table = dict[str, dict[str, Any]]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _share(share: dict[str, Any]) -> str:
    """`86.3 (84.1-88.2)`, in percent."""
    return _percent(share["share"]) + (f" ({100 * share['low']:.1f}-{100 * share['high']:.1f})" if share["of"] else "")


def _print(title: str, note: str, head: list[str], lines: list[list[str]]) -> None:
    if not lines:
        return
    print(f"\n{title}" + (f"  [{note}]" if note else ""))
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
    for line in (head, *lines):
        print("  " + line[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)))


def _recall_line(name: str, one: dict[str, Any]) -> list[str]:
    return [name, str(one["flagged"]["of"]), _share(one["flagged"]), _percent(one["blocked"]["share"]),
            _percent(one["at_1_percent"]["share"]), _percent(one["at_0.1_percent"]["share"]),
            "-" if one["auc"] is None else f"{one['auc']:.3f}"]


def _show_recall(title: str, table: Table) -> None:
    _print(title, "recall in %, 95 % interval", ["", "rows", "flagged", "blocked", "@1%", "@0.1%", "AUC"],
           [_recall_line(name, one) for name, one in table.items()])


def _show_false(title: str, table: Table, only_hits: bool = False) -> None:
    lines = [[name, str(one["flagged"]["of"]), str(one["flagged"]["hits"]), _share(one["flagged"]), _percent(one["blocked"]["share"]),
              *([f"{one['per_40']:.2f}"] if "per_40" in one else [])]
             for name, one in table.items() if one["flagged"]["hits"] or not only_hits]
    head = ["", "rows", "flagged", "% of rows", "blocked %"] + (["per 40"] if any("per_40" in one for one in table.values()) else [])
    _print(title, "only sources with some" if only_hits else "", head, lines)


def _show_kept(title: str, table: Table) -> None:
    _print(title, "recall in %; kept = of the plain recall", ["", "rows", "plain", "mutated", "kept", "false positives"],
           [[name, str(one["flagged"]["of"]), _percent(one["plain"]["share"]), _share(one["flagged"]), _percent(one["kept"]),
             _share(one["false"])] for name, one in table.items()])


def _show_found(title: str, table: Table) -> None:
    total = sum(one["found"]["of"] for one in table.values())
    hits = sum(one["found"]["hits"] for one in table.values())
    _print(title, f"{hits} of {total}" if total else "", ["", "of", "found", "%"],
           [[name, str(one["found"]["of"]), str(one["found"]["hits"]), _share(one["found"])] for name, one in table.items()])


def _show_entities(title: str, table: Table) -> None:
    _print(title, "found: span overlaps and type is right; seen: any type; right: of what was called that", ["", "of", "found %", "seen %", "right %"],
           [[name + (" (needs a model)" if one["needs_model"] else ""), str(one["found"]["of"]), _share(one["found"]), _percent(one["seen"]["share"]),
             _percent(one["right"]["share"])] for name, one in table.items()])


def _show_sets(title: str, table: Table) -> None:
    _print(title, "found: each by findings of its own kind", ["", "rows", "found %", "harmless", "false positives"],
           [[name, str(one["found"]["of"]), _share(one["found"]), str(one["false"]["of"]), _share(one["false"])] for name, one in table.items()])


def show(folder: Path | str, report: dict[str, Any]) -> None:
    print(f"{folder}: {report['judged']} of {report['rows']} rows judged, {report['refused']} refused by the engine")
    _show_recall("Attacks: injection, jailbreak, extraction, exfiltration", {"all": report["attacks"]["all"]})
    mean = report["attacks"]["macro_over_groups"]
    if mean["groups"]:
        print(f"  mean over {mean['groups']} groups: flagged {_percent(mean['flagged'])} %, blocked {_percent(mean['blocked'])} %, "
              f"@1% {_percent(mean['at_1_percent'])} %, @0.1% {_percent(mean['at_0.1_percent'])} %")
    _print("Layers alone", "recall in %; each at its own 1 % and 0.1 %", ["", "rows", "flagged", "blocked", "@1%", "@0.1%", "AUC", "false positives"],
           [[*_recall_line(name, one), _share(one["false"])] for name, one in report.get("layers", {}).items()])
    sections: list[tuple[Callable[..., None], str, str]] = [
        (_show_false, "False positives on benign texts", "false_positives"), (_show_recall, "By category", "by_category"),
        (_show_recall, "By surface (each at its own 1 % and 0.1 %)", "by_surface"), (_show_recall, "By group", "by_group"),
        (_show_recall, "By number of messages", "by_turns"),
        (_show_recall, "By source", "by_source"), (_show_sets, "By set", "by_set"), (_show_false, "Benign by surface", "benign_by_surface"),
        (_show_false, "Benign by source", "benign_by_source"), (_show_false, "Benign on purpose hard", "hard_benign"),
        (_show_kept, "By mutation", "mutations"), (_show_kept, "Obfuscated or translated in the data", "obfuscated"),
        (_show_found, "Secrets by class", "secrets"), (_show_entities, "PII by entity", "pii")]
    for section, title, name in sections:
        section(title, report[name])
    _show_false("Benign texts in which a secret was seen", report["secrets_false"], True)
    _show_false("Benign texts in which PII was seen (may be real)", report["pii_false"], True)
