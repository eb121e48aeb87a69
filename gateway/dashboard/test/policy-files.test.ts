// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { PolicyStage } from "../src/api/gen/aispm/v1/policy_pb";
import { filesOf, hostsOf, isChanged, movesOf, nameProblem, textsOf } from "../src/policies/files";

describe("files of a bundle", () => {
  test("become texts and files again, without a signature that no longer holds", () => {
    const texts = textsOf([{ path: "actions.yaml", content: new TextEncoder().encode("rules: []\n") }, { path: "bundle.sig", content: new Uint8Array() }] as never);
    expect(texts["actions.yaml"]).toBe("rules: []\n");
    expect(filesOf(texts).map(({ path }) => path)).toEqual(["actions.yaml"]);
    expect(isChanged(texts, { ...texts, "bundle.sig": "other" })).toBe(false);
    expect(isChanged(texts, { ...texts, "risk.yaml": "" })).toBe(true);
  });
  test("have the names that a bundle knows", () => {
    expect(nameProblem("rego/tools.rego", {})).toBe("");
    for (const name of ["agents.yaml", "detect.yaml", "sandbox.yaml", "sensor.yaml"]) expect(nameProblem(name, {})).toBe("");
    expect(nameProblem("rego/../x.rego", {})).not.toBe("");
    expect(nameProblem("other.yaml", {})).not.toBe("");
    expect(nameProblem("risk.yaml", { "risk.yaml": "" })).not.toBe("");
  });
});

describe("a policy", () => {
  test("goes only where its stage leads", () => {
    const moves = (stage: PolicyStage) => movesOf({ stage, version: 1n, newestVersion: 2n }).map((move) => move.stage);
    expect(moves(PolicyStage.DRAFT)).toEqual([PolicyStage.MONITOR, PolicyStage.DEPRECATED]);
    expect(moves(PolicyStage.MONITOR)).toContain(PolicyStage.ENFORCED);
    expect(moves(PolicyStage.ENFORCED)).not.toContain(PolicyStage.DRAFT);
    expect(moves(PolicyStage.DEPRECATED)).toEqual([]);
  });
  test("says which hosts have it", () => {
    const state = (version: bigint, problem = "") => ({ hostId: "h", component: "gateway", version, problem }) as never;
    expect(hostsOf({ version: 2n, states: [] }).text).toBe("no host yet");
    expect(hostsOf({ version: 2n, states: [state(2n), state(1n)] })).toMatchObject({ text: "1 of 2", tone: "warn" });
    expect(hostsOf({ version: 2n, states: [state(1n, "does not compile")] })).toMatchObject({ tone: "bad", problem: "does not compile" });
  });
});
