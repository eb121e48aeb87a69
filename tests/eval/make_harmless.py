# SPDX-License-Identifier: Apache-2.0
"""Makes harmless rows for `./dev eval --data` of what lies on a machine: false positives where nobody attacks anybody.

    python tests/eval/make_harmless.py OUT DIRECTORY [DIRECTORY ...] [--pieces 2000]

Every regular file below the directories is looked at, gunzipped where its name ends in .gz, and cut into pieces of at most 1,500
characters at line ends. Its kind follows from its name: lock file, e-mail, log, change log, prose, code. At most `--pieces` of each kind
are kept, by a hash of their text, so the same files give the same rows. A piece that holds a NUL byte or is not UTF-8 is left out.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import heapq
import json
import sys
from collections.abc import Iterator
from pathlib import Path

PIECE = 1500  # characters
MAX_FILE = 4 << 20  # bytes
PER_FILE = 40  # pieces
LOCKS = ("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "Cargo.lock", "go.sum", "poetry.lock", "uv.lock", "Gemfile.lock", "RECORD")
KINDS = {"log": (".log", ".journal"), "e-mail": (".eml", ".mbox", ".msg"),
         "prose": (".md", ".rst", ".txt", ".html", ".adoc", "README", "copyright", "NEWS", "TODO", "AUTHORS", "FAQ"),
         "code": (".py", ".js", ".ts", ".c", ".h", ".cpp", ".hpp", ".go", ".rs", ".java", ".rb", ".pl", ".pm", ".sh", ".lua", ".php", ".css", ".sql",
                  ".json", ".yaml", ".yml", ".toml", ".ini", ".conf", ".cmake", ".proto")}
SURFACE = {"prose": "document", "change log": "document", "e-mail": "email", "code": "tool_result", "lock file": "tool_result", "log": "tool_result"}


def kind_of(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    if name in LOCKS:
        return "lock file"
    if name.lower().startswith(("changelog", "changes", "history")):
        return "change log"
    return next((kind for kind, ends in KINDS.items() if name.endswith(ends)), "")


def pieces_of(path: Path) -> Iterator[str]:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE:
            return
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MAX_FILE)
        text = raw.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return
    if "\0" in text:
        return
    piece = ""
    count = 0
    for line in text.splitlines(keepends=True):
        if len(piece) + len(line) > PIECE and piece.strip():
            yield piece[:PIECE]
            count += 1
            piece = ""
            if count == PER_FILE:
                return
        piece += line
    if piece.strip():
        yield piece[:PIECE]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="directory to write harmless.jsonl to")
    parser.add_argument("directories", type=Path, nargs="+")
    parser.add_argument("--pieces", type=int, default=2000, help="at most, of each kind")
    args = parser.parse_args()
    kept: dict[str, list[tuple[int, str]]] = {}
    for directory in args.directories:
        if not directory.is_dir():
            print(f"make_harmless: {directory}: no such directory", file=sys.stderr)
            return 1
        for path in sorted(directory.rglob("*")):
            kind = kind_of(path)
            if not kind:
                continue
            heap = kept.setdefault(kind, [])
            for piece in pieces_of(path):
                # The smallest hashes stay: a sample that does not depend on the order of files.
                entry = (-int.from_bytes(hashlib.sha256(piece.encode()).digest()[:8], "big"), piece)
                if len(heap) < args.pieces:
                    heapq.heappush(heap, entry)
                elif entry > heap[0]:
                    heapq.heapreplace(heap, entry)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "harmless.jsonl").open("w", encoding="utf-8") as out:
        for kind, heap in sorted(kept.items()):
            seen = {piece for _, piece in heap}
            for piece in sorted(seen):
                name = hashlib.sha256(piece.encode()).hexdigest()[:12]
                out.write(json.dumps({"id": f"harmless-{name}", "text": piece, "label": "benign", "surface": SURFACE[kind], "source": kind, "group": kind},
                                     ensure_ascii=False) + "\n")
            print(f"{kind}: {len(seen)} pieces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
