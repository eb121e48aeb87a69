# SPDX-License-Identifier: Apache-2.0
"""`aispm redteam`: attacks a running gateway with labelled texts and tells what it found.

    aispm redteam run --gateway http://127.0.0.1:8443 --key-file agent.key
    aispm redteam run ... --corpus mine.jsonl --baseline last.json --max-drop 2
    aispm redteam corpus

Texts are JSON lines with `id`, `text`, `label`, `surface`, `source`; the built-in ones stand beside this program.
Exit status: 0 done, 1 the gate failed or the run did not get to its end, 2 wrong usage or texts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import rows as data
from connection import Gateway, RunFailed, WrongUsage
from exchange import Exchanges
from gate import BadBaseline, load_baseline
from judge import Judge
from run import add_gate, describe_corpus, perform, write
from screening import Screening
from stand_in import StandIn
from tables import show

CORPUS = Path(__file__).resolve().parent / "corpus"
MAX_KEY_BYTES = 4096
VIA = {"exchange": "by whole exchanges with a model: what is withheld counts",
       "screen": "by the gateway's screening of texts: what is found counts, also where policy lets it pass; no model and no event"}


def _number(low: float, high: float) -> Any:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value
    return parse


def _count(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value
    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aispm redteam", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    text = "Send the texts through a running gateway; print figures, write a report, compare with an earlier one."
    run = commands.add_parser("run", help=text, description=text)
    corpus = commands.add_parser("corpus", help="List the sets of texts with labels, surfaces and licences.")
    for command in (run, corpus):
        command.add_argument("--corpus", type=Path, action="append", metavar="FILE|DIR",
                             help="JSON lines, or a folder of *.jsonl; may be given more than once; default: the built-in texts")
        command.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    run.add_argument("--gateway", default=os.environ.get("AISPM_GATEWAY_URL"), metavar="URL",
                     help="http://host:port or https://host:port; default: AISPM_GATEWAY_URL")
    run.add_argument("--key-file", type=Path, metavar="FILE", help="holds the key of an agent; default: the key in AISPM_API_KEY")
    run.add_argument("--ca-file", type=Path, metavar="FILE", help="CA of an https gateway (PEM)")
    run.add_argument("--via", choices=sorted(VIA), default="exchange", help="how texts are judged: " + "; ".join(f"{k}, {v}" for k, v in VIA.items()))
    run.add_argument("--stream", action="store_true", help="ask for replies as streams (with --via exchange)")
    run.add_argument("--provider", metavar="ADDRESS:PORT",
                     help="be the provider behind the gateway: listen here, a loopback address that is the origin of a provider of the "
                          "gateway. Costs nothing, judges replies too, and sees what was cut out. Without it the gateway's own provider is asked")
    run.add_argument("--model", default="redteam", help="model to ask for; the gateway chooses its provider by it (default: %(default)s)")
    run.add_argument("--jobs", type=_count(1, 64), default=4, help="requests at a time (default: %(default)s)")
    run.add_argument("--timeout", type=_number(0.1, 600), default=20.0, metavar="SECONDS", help="for one answer (default: %(default)s)")
    run.add_argument("--deadline", type=_number(0.1, 86400), default=1800.0, metavar="SECONDS", help="for the whole run (default: %(default)s)")
    run.add_argument("--max-unjudged", type=_count(0, 10**9), default=0, metavar="N",
                     help="fail when more requests than this got no verdict (default: %(default)s)")
    run.add_argument("--report", type=Path, default=Path("redteam-report"), metavar="PREFIX", help="write PREFIX.json and PREFIX.html (default: %(default)s)")
    run.add_argument("--baseline", type=Path, metavar="FILE", help="JSON report of an earlier run on the same texts: fail when recall of a category fell")
    run.add_argument("--max-drop", type=_number(0, 100), default=0.0, metavar="POINTS", help="by how many points it may fall (default: %(default)s)")
    run.add_argument("--max-false-rise", type=_number(0, 100), default=0.0, metavar="POINTS", help="by how many points false positives may rise (default: %(default)s)")
    return parser


def _key(file: Path | None) -> str:
    if file is None:
        return os.environ.get("AISPM_API_KEY", "")
    try:
        with file.open(encoding="ascii") as content:
            key = content.read(MAX_KEY_BYTES + 1).strip()
    except OSError as problem:
        raise WrongUsage(f"{file}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise WrongUsage(f"{file}: holds no key") from problem
    if not key or len(key) > MAX_KEY_BYTES or not key.isprintable():
        raise WrongUsage(f"{file}: holds no key")
    return key


def _corpus(args: argparse.Namespace, rows: list[data.Row]) -> int:
    described = describe_corpus(rows)
    if args.json:
        print(json.dumps(described, indent=1))
        return 0
    for one in described["sets"]:
        print(f"{one['name']}: {one['rows']} texts, licence {', '.join(one['licences'])}")
        for table in ("labels", "surfaces"):
            print(f"  {table}: " + ", ".join(f"{name} {count}" for name, count in sorted(one[table].items())))
    return 0


def _run(args: argparse.Namespace, rows: list[data.Row]) -> int:
    if not args.gateway:
        raise WrongUsage("no gateway: give --gateway, or set AISPM_GATEWAY_URL")
    baseline = load_baseline(args.baseline, describe_corpus(rows)["sha256"], args.via) if args.baseline else None
    if args.provider and args.via == "screen":
        raise WrongUsage("--provider is for --via exchange: screening asks no provider")
    if args.stream and args.via == "screen":
        raise WrongUsage("--stream is for --via exchange: screening has no replies")
    gateway = Gateway(args.gateway, _key(args.key_file), args.ca_file, args.timeout)
    with StandIn(args.provider) if args.provider else contextlib.nullcontext() as stand_in:
        ask = Screening(gateway) if args.via == "screen" else Exchanges(gateway, args.model, stand_in, args.stream)
        judge = Judge(ask, args.jobs, time.monotonic() + args.deadline)
        report = perform(rows, judge, {"gateway": args.gateway, "via": args.via, "via_words": VIA[args.via] + (", replies as streams" if args.stream else "")})
    fallen = add_gate(report, baseline, args.max_drop, args.max_false_rise) if baseline else []
    try:
        files = write(report, args.report)
    except OSError as problem:
        raise RunFailed(f"{args.report}: {problem.strerror}") from problem
    if args.json:
        print(json.dumps(report))
    else:
        show(args.gateway, report["figures"])
        print(f"\n{report['asked']} requests in {report['seconds']:.1f} s; report: {files[0]}, {files[1]}")
    unjudged = sum(report["unjudged"].values())
    for reason, count in report["unjudged"].items():
        print(f"aispm redteam: {count} not judged: {reason}", file=sys.stderr)
    for change in fallen:
        print(f"aispm redteam: gate: {change.words()}", file=sys.stderr)
    return 1 if fallen or unjudged > args.max_unjudged else 0


def main() -> int:
    args = _parser().parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head`
    try:
        rows = data.load(*(args.corpus or [CORPUS]))
        return _corpus(args, rows) if args.command == "corpus" else _run(args, rows)
    except (data.BadData, BadBaseline, WrongUsage) as problem:
        print(f"aispm redteam: {problem}", file=sys.stderr)
        return 2
    except RunFailed as problem:
        print(f"aispm redteam: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
