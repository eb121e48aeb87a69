// SPDX-License-Identifier: Apache-2.0
// Files of a bundle as texts, and what may be done with a policy.
import { PolicyStage, type Policy, type PolicyFile } from "../api/gen/aispm/v1/policy_pb";
import type { Tone } from "../events/describe";

export const SIGNATURE = "bundle.sig";

export const STAGES: Record<PolicyStage, { readonly label: string; readonly tone: Tone }> = {
  [PolicyStage.UNSPECIFIED]: { label: "No stage", tone: "neutral" },
  [PolicyStage.DRAFT]: { label: "Draft", tone: "neutral" },
  [PolicyStage.MONITOR]: { label: "Monitored", tone: "changed" },
  [PolicyStage.ENFORCED]: { label: "Enforced", tone: "good" },
  [PolicyStage.DEPRECATED]: { label: "Deprecated", tone: "neutral" },
};

export type Texts = Readonly<Record<string, string>>;

export function textsOf(files: readonly PolicyFile[]): Texts {
  const decoder = new TextDecoder();
  return Object.fromEntries(files.map(({ path, content }) => [path, decoder.decode(content)]));
}

// A text that was changed is not what somebody signed, so the signature stays behind.
export function filesOf(texts: Texts): { path: string; content: Uint8Array<ArrayBuffer> }[] {
  const encoder = new TextEncoder();
  return Object.entries(texts)
    .filter(([path]) => path !== SIGNATURE)
    .map(([path, text]) => ({ path, content: encoder.encode(text) as Uint8Array<ArrayBuffer> }));
}

export function isChanged(before: Texts, after: Texts): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  names.delete(SIGNATURE);
  return [...names].some((name) => before[name] !== after[name]);
}

// Why a name is none that a file of a bundle can have; "" for a good one.
export function nameProblem(name: string, texts: Texts): string {
  if (name in texts) return "There is a file of that name.";
  const allowed = [
    "actions.yaml", "agents.yaml", "commands.yaml", "detect.yaml", "pins.yaml", "risk.yaml", "sandbox.yaml", "sensor.yaml", "tools.yaml", "data.json",
  ];
  if (allowed.includes(name) || /^rego\/[\w-]+(\/[\w-]+)*\.rego$/.test(name)) return "";
  return `A bundle has ${allowed.join(", ")} and rego/*.rego.`;
}

export interface Move {
  readonly stage: PolicyStage;
  readonly label: string;
}

// Where a policy may go from here; the collector has the last word.
export function movesOf({ stage, version, newestVersion }: Pick<Policy, "stage" | "version" | "newestVersion">): Move[] {
  const deprecate: Move = { stage: PolicyStage.DEPRECATED, label: "Deprecate for good" };
  switch (stage) {
    case PolicyStage.DRAFT:
      return [{ stage: PolicyStage.MONITOR, label: `Monitor version ${newestVersion}` }, deprecate];
    case PolicyStage.MONITOR:
      return [
        ...(newestVersion > version ? [{ stage: PolicyStage.MONITOR, label: `Monitor version ${newestVersion} instead` }] : []),
        { stage: PolicyStage.ENFORCED, label: `Enforce version ${version}` },
        { stage: PolicyStage.DRAFT, label: "Back to draft" },
        deprecate,
      ];
    case PolicyStage.ENFORCED:
      return [{ stage: PolicyStage.MONITOR, label: "Only monitor from now on" }, deprecate];
    default:
      return [];
  }
}

// "2 of 3 hosts"; the first problem of those that do not have it.
export function hostsOf(policy: Pick<Policy, "version" | "states">): { text: string; problem: string; tone: Tone } {
  const { states, version } = policy;
  if (states.length === 0) return { text: "no host yet", problem: "", tone: "neutral" };
  const good = states.filter((state) => !state.problem && state.version === version).length;
  const problem = states.find((state) => state.problem)?.problem ?? "";
  return { text: `${good} of ${states.length}`, problem, tone: problem ? "bad" : good === states.length ? "good" : "warn" };
}
