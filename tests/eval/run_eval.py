# SPDX-License-Identifier: Apache-2.0
"""./dev eval: how good the shipped detection is on labelled texts. What is counted, and how: sdk/redteam/evaluate.py."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk" / "redteam"))

import evaluate  # noqa: E402
import rows as data  # noqa: E402
from scan import ScanFailed, scan  # noqa: E402

DEFAULT = ROOT.parent / "shared" / "data" / "detection" / "dev"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev eval", description=evaluate.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"directory of *.jsonl; default {DEFAULT}")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--packs", type=Path, default=ROOT / "policies" / "detect", help="detection packs to judge with")
    parser.add_argument("--semantic", type=Path, metavar="MODEL", help="let the semantic tier judge too, with this model file")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "release" / "tests" / "eval_scan", help=argparse.SUPPRESS)
    args = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head`
    folder = args.data or DEFAULT
    if args.data is None and not folder.is_dir():
        print(f"./dev eval: {folder}, the default, is not here: name a directory with --data", file=sys.stderr)
        return 1
    try:
        rows = data.load(folder)
        report = evaluate.evaluate(rows, lambda texts: scan(args.program, args.packs, texts, args.semantic))
    except (data.BadData, ScanFailed) as problem:
        print(f"./dev eval: {problem}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({"data": str(folder)} | report))
    else:
        from tables import show
        show(folder, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
