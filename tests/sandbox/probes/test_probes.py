# SPDX-License-Identifier: Apache-2.0
"""The hundred attempts of table.py: each is refused inside, reported outside with the same errno, and shown to be alive by a control.

SBX-015, SBX-016, SBX-017, SBX-018, SBX-019, SBX-021.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from outside import IS_ROOT, KINDS, NEED_ROOT, Inside, all_inside, control_words, inside, prepare, why_not
from table import ATTEMPTS, LIMIT, Attempt, Probe, all_probes
from test_network import FakeGateway

ROOT = Path(__file__).parents[3]
# What a kernel answers that was built without the thing, or has not got it.
NOT_HERE = {"ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ENOENT", "ENXIO", "ENODEV", "ESOCKTNOSUPPORT"}


def is_reported(run: Inside, probe: Probe) -> bool:
    assert probe.event is not None
    kind, target = probe.event
    error = "ECONNREFUSED" if kind.startswith("KIND_CONNECT") else probe.result
    patterns = [one.replace("[", "[[]").replace("{HOST_PORT}", run.port) for one in target.split("|")]
    return any(denied.kind == kind and denied.error == error and any(fnmatch.fnmatchcase(denied.target, one) for one in patterns)
               for denied in run.denied)


def wrong(run: Inside, probe: Probe) -> str:
    """What is wrong with one probe's outcome; empty when all is well."""
    if probe.name in NEED_ROOT and not IS_ROOT:
        return ""
    result = run.results.get(probe.name, "did not run")
    if result not in probe.result.split("|"):
        return f"{probe.name}: {result} instead of {probe.result}"
    if probe.event and not is_reported(run, probe):
        return f"{probe.name}: {result}, but no event {probe.event} with this errno"
    if not probe.event and not probe.unseen:
        return f"{probe.name}: the table has neither an event nor a reason why there is none"
    return ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attempt", [a for a in ATTEMPTS if a.probes], ids=lambda a: f"{a.number}-{a.title.replace(' ', '-')}")
def test_attempt(attempt: Attempt, kind: str) -> None:
    run = all_inside(kind)
    assert [text for probe in attempt.probes if (text := wrong(run, probe))] == []


def test_every_body_is_in_the_table() -> None:
    assert set(all_inside("user").results) == set(all_probes())
    assert [attempt.number for attempt in ATTEMPTS] == list(range(1, 101))


@pytest.mark.parametrize("attempt", [a for a in ATTEMPTS if a.tests], ids=lambda a: f"{a.number}-{a.title.replace(' ', '-')}")
def test_attempt_has_its_own_test(attempt: Attempt) -> None:
    for glob, pattern in attempt.tests:
        texts = [file.read_text(errors="replace") for file in ROOT.glob(glob) if file.is_file()]
        assert any(re.search(pattern, text) for text in texts), f"{glob}: nothing matches {pattern}"


@pytest.mark.skipif(not IS_ROOT, reason="there is no root caller to compare with")
def test_root_and_ordinary_users_meet_the_same() -> None:
    root, user = all_inside("root"), all_inside("user")
    assert root.results == user.results
    calls = [{(one.target, one.error) for one in run.denied if one.kind == "KIND_SYSCALL" and "(scope." not in one.target} for run in (root, user)]
    assert calls[0] == calls[1]


@pytest.mark.parametrize("profile", ["coding-agent", "node", "offline", "python"])
def test_no_profile_lets_more_through(profile: str) -> None:
    """Profiles differ in their limits; `build` reaches an index by the gateway and cannot run without one."""
    if why := why_not("user"):
        pytest.skip(why)
    assert {path.stem for path in (ROOT / "policies/sandbox").glob("*.yaml")} == {"build", "coding-agent", "default", "node", "offline", "python"}
    with prepare(f"profile-{profile}") as outside:
        results = inside(outside, "user", [], more=("--profile", profile)).results
    expected = all_inside("user").results
    assert {name: result for name, result in results.items() if result != expected[name] and all_probes()[name].unseen != LIMIT} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_behind_a_gateway_nothing_more_succeeds(kind: str) -> None:
    if why := why_not(kind):
        pytest.skip(why)
    with prepare(f"gateway-{kind}") as outside:
        gateway = FakeGateway(outside.folder / "gateway.sock")
        try:
            run = inside(outside, kind, [], network=("--gateway", str(outside.folder / "gateway.sock")))
        finally:
            gateway.close()
    assert run.results == all_inside(kind).results
    # The same denials went to the gateway, for the collector.
    live = {(denial["kind"], denial["target"], denial.get("error", "")) for event in gateway.events if (denial := event.get("sandbox_denial"))}
    assert live == {(one.kind.split("/")[0], one.target, one.error) for one in run.denied}


def test_what_is_not_seen_is_said() -> None:
    for kind in KINDS:
        stated = [name for name in all_inside(kind).start["mechanisms"] if name.startswith("file_denials:")]
        assert len(stated) == 1
        if kind == "user":
            assert stated == ["file_denials:unseen (not root)"]


@pytest.mark.parametrize("control", ["user", "root", "userns", "net"])
def test_controls_are_alive(control: str) -> None:
    """A probe that cannot succeed anywhere proves nothing."""
    if why := why_not("user"):
        pytest.skip(why)
    if control == "root" and not IS_ROOT:
        pytest.skip("the controls of root need root")
    probes = {name: probe for name, probe in all_probes().items()
              if probe.control == control and (IS_ROOT or name not in NEED_ROOT)}
    with prepare(f"control-{control}") as outside:
        results = outside.probes_of(control_words(control), sorted(probes))
    dead = {name: result for name, result in results.items() if result not in probes[name].alive}
    not_here = {name: result for name, result in dead.items() if result in NOT_HERE and (control != "user" or name.startswith(("af-", "netlink-", "sctp")))}
    if not_here:
        print("this host has none of:", " ".join(sorted(not_here)))
    assert {name: result for name, result in dead.items() if name not in not_here} == {}
    assert len(results) == len(probes)


def test_probes_without_a_control_say_why() -> None:
    for probe in all_probes().values():
        assert probe.control in {"user", "root", "userns", "net"} or re.match(r"none: .+", probe.control), probe
