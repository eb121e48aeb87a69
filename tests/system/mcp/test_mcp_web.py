# SPDX-License-Identifier: Apache-2.0
"""GW-018 019 020, MCP-003: pages and search results as a model gets them, and what the gateway does not fetch for anybody."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import HERE, OTHER_KEY, load, real_gateway, wait_for_rules, write_private
from test_mcp import call, names, with_client

web_site = load("web_site", HERE / "web_site.py")
ACTIONS = """
rules:
  - {id: no-news, match: {tool: web_fetch, tool_provider: aispm}, when: {tool_args_match: {url: {eq: 'https://news.example/'}}}, outcome: deny, reason: no news}
  - {id: rest, match: {tool: '*'}, outcome: allow}
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Any]:
    with web_site.serve() as running:
        yield running


@pytest.fixture(scope="module")
def private_site() -> Iterator[Any]:
    """Nobody may read there."""
    with web_site.serve() as running:
        yield running


@pytest.fixture(scope="module")
def reading(provider: Any, certificate: Any, site: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("reading")
    running = real_gateway.Gateway(folder)
    (folder / "bundle").mkdir(mode=0o700)
    write_private(folder / "bundle" / "actions.yaml", ACTIONS)
    write_private(folder / "search.key", "tvly-key\n")
    web = (f"mcp:\n  web:\n    agents: ['tests/*']\n    fetch: {{private_hosts: ['{site.place}'], deny_hosts: ['*.blocked.example'], time: 4s}}\n"
           f"    search: {{form: tavily, origin: 'http://{site.place}', allow_private: true, key_file: {folder}/search.key}}\n")
    config = running.configure(provider.port, certificate.cert, f"bundle: {{folder: {folder}/bundle}}\n" + web)
    with (folder / "keys.yaml").open("a") as keys:
        keys.write(f"  - sha256: {hashlib.sha256(OTHER_KEY.encode()).hexdigest()}\n    agent: others/agent\n")
    running.start(config)
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def fetch(gateway: Any, url: str, mode: str = "legacy") -> tuple[bool, str]:
    return call(gateway, "aispm__web_fetch", mode, url=url)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_page_is_its_words(reading: Any, site: Any, mode: str) -> None:
    assert fetch(reading, site.url("/plain"), mode) == (False, f"URL: {site.url('/plain')}\nTitle: Plain\n\nHello\nA page about stamps.")


def test_it_is_granted_like_other_tools(reading: Any) -> None:
    assert names(reading) == ["aispm__web_fetch", "aispm__web_search"]
    assert names(reading, key=OTHER_KEY) == []
    failed, why = fetch(reading, "https://news.example/")
    assert failed and "no-news" in why


def test_hidden_words_are_left_out_and_told_of(reading: Any, site: Any) -> None:
    failed, text = fetch(reading, site.url("/hidden"))
    assert not failed and "Stamps are red." in text and "previous instructions" not in text
    assert "2 passages that the page hides" in text


def test_what_is_seen_is_judged_like_every_result(reading: Any, site: Any) -> None:
    failed, text = fetch(reading, site.url("/bad"))
    assert failed and "withheld" in text and "previous instructions" not in text
    failed, text = fetch(reading, site.url("/secret"))
    assert not failed and "AKIA" not in text and "keep it" in text


def test_long_pages_are_cut_and_huge_ones_refused(reading: Any, site: Any) -> None:
    failed, text = fetch(reading, site.url("/long"))
    assert not failed and text.count("x") == 4000 and "The page goes on" in text
    assert fetch(reading, site.url("/huge"))[0]
    failed, why = fetch(reading, site.url("/picture"))
    assert failed and "image/png" in why
    failed, why = fetch(reading, site.url("/nothing"))
    assert failed and "404" in why


def test_a_site_that_does_not_answer_is_given_up(reading: Any, site: Any) -> None:
    failed, why = fetch(reading, site.url("/hangs"))
    assert failed and "timed out" in why


@pytest.mark.parametrize("form", ["http://127.0.0.1:{port}/plain", "http://localhost:{port}/plain", "http://[::1]:{port}/plain",
                                  "http://[::ffff:127.0.0.1]:{port}/plain", "http://2130706433:{port}/plain", "http://0x7f.1:{port}/plain"])
def test_other_ports_of_private_addresses_are_not_asked(reading: Any, private_site: Any, form: str) -> None:
    url = form.format(port=private_site.port)
    assert fetch(reading, url)[0]
    assert private_site.seen == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]/",
                                 "http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://[fd00:ec2::254]/", "http://0.0.0.0/", "http://2852039166/", "http://100.100.100.200/", "http://[::ffff:169.254.169.254]/"])
def test_private_addresses_are_not_asked_whatever_they_are_called(reading: Any, url: str) -> None:
    """By number and by name: what a name means is looked at after DNS, on the address that would be connected to."""
    failed, why = fetch(reading, url)
    assert failed and "not a public" in why, why


def test_redirects_are_looked_at_again(reading: Any, site: Any, private_site: Any) -> None:
    assert fetch(reading, site.url("/to?/plain"))[1].startswith(f"URL: {site.url('/plain')}\n")
    for target in ("http://169.254.169.254/latest", private_site.url("/plain"), f"http://localhost:{site.port}/plain"):
        failed, text = fetch(reading, site.url("/to?" + urllib.parse.quote(target)))
        assert not failed and f"at another site: {target}" in text and "stamps" not in text
    failed, why = fetch(reading, site.url("/to?file:///etc/passwd"))
    assert failed and "https://" in why
    failed, why = fetch(reading, site.url("/to?" + urllib.parse.quote("/to?/to")))
    assert failed
    assert private_site.seen == []


def test_hosts_that_are_denied_are_not_looked_up(reading: Any) -> None:
    failed, why = fetch(reading, "https://www.blocked.example/")
    assert failed and "may not be read" in why


@pytest.mark.parametrize("url", ["ftp://example.com/", "https://user@example.com/", "https://example.com\\@127.0.0.1/", "x" * 3000])
def test_what_is_no_good_url_is_refused(reading: Any, url: str) -> None:
    assert fetch(reading, url)[0]


def test_search_gives_five_results_briefly(reading: Any, site: Any) -> None:
    failed, text = call(reading, "aispm__web_search", query="stamps")
    assert not failed
    results = text.split("\n\n")
    assert [one.split("\n")[0] for one in results] == [f"{i + 1}. Result {i}" for i in range(5)]
    assert all(len(one.split("\n")[2]) == 300 for one in results)
    assert ("Bearer tvly-key", {"query": "stamps", "max_results": 5}) in site.asked


def test_search_results_are_judged(reading: Any) -> None:
    failed, text = call(reading, "aispm__web_search", query="bad stamps")
    assert failed and "withheld" in text


def test_arguments_must_fit(reading: Any) -> None:
    for arguments in ({}, {"url": 7}, {"url": "https://example.com", "headers": {}}):
        async def use(client: Any, arguments: Any = arguments) -> bool:
            return bool((await client.call_tool("aispm__web_fetch", arguments)).is_error)

        assert with_client(reading, use)
