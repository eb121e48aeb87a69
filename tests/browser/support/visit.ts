// SPDX-License-Identifier: Apache-2.0
// One Chromium and one collector for the tests of a file, a fresh page for each test.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launch, openPage, type View, type Watched } from "./browser";
import { Collector } from "./collector";

export interface Visits {
  browser: Browser;
  collector: Collector;
  /** Opens the dashboard, logged in, at a path. A problem the page reports fails the test that visited it. */
  visit(path: string, view?: View): Promise<Page>;
  /** Opens the page where a person who has no token yet arrives. */
  arrive(): Promise<Page>;
}

/** Starts both before the first test of the file and ends them after the last. */
export function useVisits(extra?: (folder: string) => string): Visits {
  let watched: Watched | undefined;
  const visits = {
    async arrive(): Promise<Page> {
      watched = await openPage(visits.browser, visits.collector.url);
      await watched.page.goto(visits.collector.url);
      return watched.page;
    },
    async visit(path: string, view: View = {}): Promise<Page> {
      watched = await openPage(visits.browser, visits.collector.url, view);
      await watched.page.goto(`${visits.collector.url}/#token=${visits.collector.token}`);
      await watched.page.getByRole("navigation", { name: "Pages" }).waitFor({ state: "attached" });
      await watched.page.goto(`${visits.collector.url}/#${path}`);
      return watched.page;
    },
  } as Visits;
  beforeAll(async () => {
    visits.browser = await launch();
    visits.collector = await Collector.create(extra);
  });
  afterAll(async () => {
    await visits.browser?.close();
    await visits.collector?.destroy();
  });
  afterEach(async () => {
    const problems = watched?.problems ?? [];
    await watched?.page.context().close();
    watched = undefined;
    expect(problems).toEqual([]);
  });
  return visits;
}
