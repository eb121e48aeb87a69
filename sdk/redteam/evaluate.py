# SPDX-License-Identifier: Apache-2.0
"""How good detection is on labelled texts, per source, category, surface and mutation: the tables of ./dev eval and `aispm redteam`.

The verdict is that of the rules and of the classifier together, of both its tiers where the semantic one judges, too; what each
finds alone is told. A text is *flagged*
when a finding of its kind has severity medium or above or the classifier suspects it; it is *blocked* when one has severity high or
above (the default policy denies it) or the classifier is sure. `@1%` and `@0.1%` are recall at the score that this share of the benign
texts exceeds: what thresholds could give at best. Rows that say from which plain text they were obfuscated stand in a table of their
own. Macro figures are means over groups with at least MIN_GROUP rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import rows as data
from figures import Share, auc, macro, recall_above, threshold
from mutations import MUTATIONS
from rows import Asked, Row
from verdicts import Finding, Verdict

MIN_GROUP = 10
SAMPLE = 1000  # attacks and benign texts that are mutated
Table = dict[str, dict[str, Any]]
Judged = tuple[Row, Verdict]
# None: nobody could judge it, so it counts nowhere.
Judge = Callable[[Sequence[Asked]], Sequence[Verdict | None]]


def kind_of(row: Row) -> str:
    return row.label if row.label in ("secret", "pii") else "attack"


def _turns(row: Row) -> str:
    return "several messages" if row.turns else "one message"


def _judged(rows: Sequence[Row], verdicts: Sequence[Verdict | None]) -> list[Judged]:
    return [(row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if verdict is not None]


def _grouped(rows: Iterable[Judged], key: Callable[[Row], str]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for row, verdict in rows:
        groups.setdefault(key(row), []).append((row, verdict))
    return dict(sorted(groups.items()))


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"hits": share.hits, "of": share.total, "share": None if share.total == 0 else round(share.value, 4),
            "low": round(low, 4), "high": round(high, 4)}


def _recall(found: Sequence[Judged], benign: Sequence[float]) -> dict[str, Any]:
    """One line of a table of attacks; `benign` are scores of the harmless texts that set the limits."""
    scores = [verdict.score(kind_of(row)) for row, verdict in found]
    area = auc(scores, benign)
    return {"flagged": _share(Share(sum(v.flags(kind_of(r)) for r, v in found), len(found))),
            "blocked": _share(Share(sum(v.blocks(kind_of(r)) for r, v in found), len(found))),
            "at_1_percent": _share(recall_above(scores, threshold(benign, 0.01))),
            "at_0.1_percent": _share(recall_above(scores, threshold(benign, 0.001))),
            "auc": None if area != area else round(area, 4)}


def _false(found: Sequence[Judged], kind: str = "attack") -> dict[str, Any]:
    return {"flagged": _share(Share(sum(v.flags(kind) for _, v in found), len(found))),
            "blocked": _share(Share(sum(v.blocks(kind) for _, v in found), len(found)))}


def _layers(attacks: Sequence[Judged], benign: Sequence[Judged]) -> Table:
    """What each layer finds alone, so that nobody takes one for the other."""
    table: Table = {}
    layers = [("rules", Verdict.rules_alone), ("classifier", Verdict.classifier_alone)]
    if any(verdict.semantic for _, verdict in (*attacks, *benign)):
        layers += [("semantic", Verdict.semantic_alone), ("both tiers", Verdict.tiers_alone)]
    for name, layer in layers:
        own = [(row, layer(verdict)) for row, verdict in attacks]
        harmless = [(row, layer(verdict)) for row, verdict in benign]
        table[name] = (_recall(own, [verdict.score("attack") for _, verdict in harmless]) | {"false": _false(harmless)["flagged"]})
    return table


def _macro(found: Sequence[Judged], limit: Sequence[float]) -> dict[str, Any]:
    groups = {name: _recall(own, limit) for name, own in _grouped(found, lambda row: row.group).items() if len(own) >= MIN_GROUP}
    return {"groups": len(groups)} | {
        name: round(macro([Share(one[name]["hits"], one[name]["of"]) for one in groups.values()]), 4)
        for name in ("flagged", "blocked", "at_1_percent", "at_0.1_percent")} if groups else {"groups": 0}


def _overlaps(verdict: Verdict, kind: str, begin: int, end: int) -> bool:
    return any(one.kind == kind and one.begin < end and begin < one.end for one in verdict.found)


def _secrets(found: Sequence[Judged]) -> Table:
    """Per class: the secret itself was found, not only something in its text."""
    def hit(row: Row, verdict: Verdict) -> bool:
        if not row.secret:
            return verdict.flags("secret")
        begin = row.text.encode("utf-8", "replace").find(row.secret.encode("utf-8", "replace"))
        return begin >= 0 and _overlaps(verdict, "secret", begin, begin + len(row.secret.encode("utf-8", "replace")))

    return {name: {"found": _share(Share(sum(hit(r, v) for r, v in own), len(own)))}
            for name, own in _grouped(found, lambda row: row.attack_class or row.source).items()}


# What data sets call the types that our placeholders name otherwise.
OTHER_NAMES = {"EMAIL_ADDRESS": ("EMAIL",), "PHONE_NUMBER": ("PHONE",), "IBAN_CODE": ("IBAN",), "IP_ADDRESS": ("IP_ADDRESS", "IPV6_ADDRESS"),
               "US_PASSPORT": ("PASSPORT",), "STREET_ADDRESS": ("ADDRESS",), "ZIP_CODE": ("ADDRESS",), "US_DRIVER_LICENSE": ("DRIVER_LICENCE",)}
# Rules do not know these from other words; nobody shall take their figures for a promise.
NEEDS_MODEL = ("PERSON", "GPE", "ORGANIZATION", "NRP", "TITLE", "DATE_TIME", "DOMAIN_NAME")


def _entity_of(finding: Finding) -> str:
    return finding.entity or finding.rule.rpartition(".")[2].upper()


def _overlap(finding: Finding, entity: data.Entity) -> bool:
    return finding.begin < entity.end and entity.begin < finding.end


def _is_it(finding: Finding, entity: data.Entity) -> bool:
    return finding.kind == "pii" and _overlap(finding, entity) and _entity_of(finding) in OTHER_NAMES.get(entity.type, (entity.type,))


def _entities(found: Sequence[Judged]) -> Table:
    """Per type: `found` has the right type on an overlapping span, `seen` any type. Of the findings of that type, `right` are."""
    table: dict[str, dict[str, list[int]]] = {}
    for row, verdict in found:
        for entity in row.entities:
            count = table.setdefault(entity.type, {"found": [0, 0], "seen": [0, 0], "right": [0, 0]})
            count["found"][0] += any(_is_it(one, entity) for one in verdict.found)
            count["seen"][0] += any(one.kind == "pii" and _overlap(one, entity) for one in verdict.found)
            count["found"][1] += 1
            count["seen"][1] += 1
    for row, verdict in found:
        for one in verdict.found:
            types = [name for name in table if one.kind == "pii" and _entity_of(one) in OTHER_NAMES.get(name, (name,))]
            for name in types:
                table[name]["right"][0] += any(_is_it(one, entity) for entity in row.entities)
                table[name]["right"][1] += 1
    return {name: {what: _share(Share(*count)) for what, count in table[name].items()} | {"needs_model": name in NEEDS_MODEL}
            for name in sorted(table, key=lambda name: (name in NEEDS_MODEL, name))}


def _set(found: Sequence[Judged]) -> dict[str, Any]:
    """One file: how much of what should be found was, each by findings of its own kind, and what was found in harmless texts."""
    bad = [(row, verdict) for row, verdict in found if row.label != "benign"]
    return {"found": _share(Share(sum(v.flags(kind_of(r)) for r, v in bad), len(bad))),
            "false": _false([one for one in found if one[0].label == "benign"])["flagged"]}


def _sample(found: Sequence[Judged]) -> list[Judged]:
    return sorted(found, key=lambda one: zlib.crc32(one[0].id.encode()))[:SAMPLE]


def _kept(attacks: int, benign: Sequence[Judged], clear: int, hits: int) -> dict[str, Any]:
    """One line: recall on hidden attacks over recall on the same ones in clear."""
    return {"plain": _share(Share(clear, attacks)), "flagged": _share(Share(hits, attacks)),
            "kept": round(hits / clear, 4) if clear else None, "false": _false(benign)["flagged"]}


def _mutated(attacks: Sequence[Judged], benign: Sequence[Judged], judge: Judge) -> Table:
    attacks, benign = _sample(attacks), _sample(benign)
    asked = [row for row, _ in (*attacks, *benign)]
    verdicts = iter(judge([Asked(change(row.text), row.surface, tuple(map(change, row.turns))) for change in MUTATIONS.values() for row in asked]))
    table: Table = {}
    for name in MUTATIONS:
        judged = _judged(asked, [next(verdicts) for _ in asked])
        kept = {row.id for row, _ in judged}
        hidden = [(row, verdict) for row, verdict in judged if row.label != "benign"]
        clear = [verdict.flags("attack") for row, verdict in attacks if row.id in kept]
        table[name] = _kept(len(hidden), [one for one in judged if one[0].label == "benign"], sum(clear),
                            sum(verdict.flags("attack") for _, verdict in hidden))
    return table


def _hidden(found: Sequence[Judged], judge: Judge) -> Table:
    """Rows that came obfuscated, against their own plain texts."""
    shown = judge([Asked(row.plain, row.surface) for row, _ in found])
    plain = {row.id: verdict for row, verdict in _judged([row for row, _ in found], shown)}
    found = [one for one in found if one[0].id in plain]
    table: Table = {}
    for name, own in _grouped(found, lambda row: row.attack_class or row.hard or "obfuscated").items():
        attacks = [one for one in own if one[0].label != "benign"]
        table[name] = _kept(len(attacks), [one for one in own if one[0].label == "benign"],
                            sum(plain[row.id].flags("attack") for row, _ in attacks), sum(v.flags("attack") for _, v in attacks))
    return table


def evaluate(rows: Sequence[Row], judge: Judge) -> dict[str, Any]:
    """All tables. `judge` gives a verdict per text."""
    judged = _judged(rows, judge([row.asked for row in rows]))
    clear = [one for one in judged if not one[0].plain]
    hidden = [one for one in judged if one[0].plain]
    benign = [one for one in clear if one[0].label == "benign"]
    attacks = [one for one in clear if one[0].label in data.ATTACKS]
    others = [one for one in clear if one[0].label not in (*data.ATTACKS, "benign", "secret", "pii")]
    limits = [verdict.score("attack") for _, verdict in benign]
    pii_sets = {row.set for row, _ in clear if row.label == "pii"}

    def by_surface(name: str) -> list[float]:
        return [verdict.score("attack") for row, verdict in benign if row.surface == name]

    report: dict[str, Any] = {
        "rows": len(rows), "judged": len(judged), "refused": sum(bool(verdict.refused) for _, verdict in judged),
        "attacks": {"all": _recall(attacks, limits), "macro_over_groups": _macro(attacks, limits)},
        "layers": _layers(attacks, benign),
        "false_positives": {"all": _false(benign)},
        "by_category": {name: _recall(own, limits) for name, own in _grouped(attacks + others, lambda row: row.label).items()},
        "by_surface": {name: _recall(own, by_surface(name)) | {"false": _false([b for b in benign if b[0].surface == name])["flagged"]}
                       for name, own in _grouped(attacks, lambda row: row.surface).items()},
        "by_group": {name: _recall(own, limits) for name, own in _grouped(attacks, lambda row: row.group).items()},
        "by_source": {name: _recall(own, limits) for name, own in _grouped(attacks, lambda row: row.source).items()},
        "by_turns": {name: _recall(own, limits) | {"false": _false([b for b in benign if _turns(b[0]) == name])["flagged"]}
                     for name, own in _grouped(attacks, _turns).items()},
        "by_set": {name: _set(own) for name, own in _grouped(clear, lambda row: row.set).items()},
        "benign_by_source": {name: _false(own) for name, own in _grouped(benign, lambda row: row.source).items()},
        "benign_by_surface": {name: _false(own) for name, own in _grouped(benign, lambda row: row.surface).items()},
        "hard_benign": {name: _false(own) | {"per_40": round(40 * sum(v.flags("attack") for _, v in own) / len(own), 2)}
                        for name, own in _grouped([b for b in benign if b[0].hard], lambda row: row.hard).items()},
        "secrets": _secrets([one for one in clear if one[0].label == "secret"]),
        "secrets_false": {name: _false(own, "secret") for name, own in _grouped(benign, lambda row: row.source).items()},
        "pii": _entities([one for one in clear if one[0].label == "pii" or one[0].set in pii_sets]),
        "pii_false": {name: _false(own, "pii") for name, own in _grouped(benign, lambda row: row.source).items()},
        "mutations": _mutated(attacks, benign, judge) if attacks else {},
        "obfuscated": _hidden(hidden, judge) if hidden else {},
    }
    return report
