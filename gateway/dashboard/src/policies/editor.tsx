// SPDX-License-Identifier: Apache-2.0
// The files of a bundle, what is wrong with them in place, and how they become a new version.
import { Alert, Button, Group, Tabs, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { PolicyProblem } from "../api/gen/aispm/v1/simulate_pb";
import { api, queryClient } from "../api/queries";
import { CodeEditor } from "../components/code-editor";
import { Panel } from "../components/page";
import { plural } from "../format";
import { filesOf, isChanged, nameProblem, SIGNATURE, type Texts } from "./files";

const { method } = Operator;
const PAUSE_MS = 500;

// What the collector says of the text, a moment after the last key.
export function useValidation(texts: Texts) {
  const [settled] = useDebouncedValue(texts, PAUSE_MS);
  const query = useQuery({
    queryKey: ["validate", settled],
    queryFn: ({ signal }) => api.call(method.validatePolicy, { files: filesOf(settled) }, signal),
    placeholderData: (before) => before,
  });
  return { validation: query.data, error: query.error, isCurrent: settled === texts && !query.isFetching };
}

function AddFile({ texts, add }: { texts: Texts; add: (name: string) => void }) {
  const [name, setName] = useState("");
  const problem = name ? nameProblem(name.trim(), texts) : "";
  return (
    <form onSubmit={(submit) => {
      submit.preventDefault();
      if (!name.trim() || problem) return;
      add(name.trim());
      setName("");
    }}>
      <Group gap="xs" align="flex-start">
        <TextInput size="xs" w={220} aria-label="Name of a new file" placeholder="rego/tools.rego" value={name} error={problem} onChange={(change) => setName(change.currentTarget.value)} />
        <Button size="xs" variant="default" type="submit" disabled={!name.trim() || problem !== ""}>Add file</Button>
      </Group>
    </form>
  );
}

function Summary({ problems, open }: { problems: readonly PolicyProblem[]; open: (path: string) => void }) {
  return (
    <Alert color="red" role="alert" mt="sm" title={`${plural(problems.length, "problem")} to mend`}>
      <ul className="brief-list">
        {problems.map((problem, index) => (
          <li key={index}>
            <Button variant="transparent" size="compact-xs" ff="monospace" onClick={() => open(problem.path)}>{problem.path || "bundle"}{problem.line > 0 && `:${problem.line}`}{problem.column > 0 && `:${problem.column}`}</Button>{" "}
            <Text span size="sm">{problem.message}</Text>
          </li>
        ))}
      </ul>
    </Alert>
  );
}

export function FilesPanel({ texts, setTexts, validation, aside }: {
  texts: Texts; setTexts: (change: (before: Texts) => Texts) => void; validation: ReturnType<typeof useValidation>; aside?: React.ReactNode;
}) {
  const names = Object.keys(texts).filter((name) => name !== SIGNATURE).sort();
  const [chosen, setChosen] = useState("");
  const path = names.includes(chosen) ? chosen : (names[0] ?? "");
  const found = validation.validation?.problems ?? [];
  const problems = useMemo(() => found.filter((problem) => problem.path === path), [found, path]);
  const drop = (name: string) => setTexts((before) => Object.fromEntries(Object.entries(before).filter(([key]) => key !== name)));
  return (
    <Panel title="Files" aside={aside}>
      <Group justify="space-between" mb="sm" align="flex-start">
        <Tabs value={path} onChange={(value) => setChosen(value ?? "")} variant="outline">
          <Tabs.List aria-label="Files of the bundle">
            {names.map((name) => <Tabs.Tab key={name} value={name} ff="monospace">{name}{found.some((problem) => problem.path === name) && <span className="code-wrong"> ●<span className="visually-hidden"> has a problem</span></span>}</Tabs.Tab>)}
          </Tabs.List>
        </Tabs>
        <Group gap="xs" align="flex-start">
          <AddFile texts={texts} add={(name) => (setTexts((before) => ({ ...before, [name]: "" })), setChosen(name))} />
          {names.length > 1 && <Button size="xs" variant="subtle" color="gray" onClick={() => drop(path)}>Remove {path}</Button>}
        </Group>
      </Group>
      {path && <CodeEditor key={path} path={path} value={texts[path] ?? ""} problems={problems} onChange={(value) => setTexts((before) => ({ ...before, [path]: value }))} />}
      {validation.error && <Alert color="red" role="alert" mt="sm">{validation.error.message}</Alert>}
      {found.length > 0 ? <Summary problems={found} open={setChosen} /> : validation.validation && (
        <Text size="sm" mt="sm" role="status" c={validation.isCurrent ? undefined : "dimmed"}>
          {validation.isCurrent ? "Compiles" : "Checking"}: {plural(validation.validation.actionRules, "rule")} over actions, {plural(validation.validation.commandRules, "rule")} over commands, {plural(validation.validation.regoModules, "Rego module")}.
        </Text>
      )}
    </Panel>
  );
}

export function SaveVersion({ policyId, before, texts, broken, saved }: { policyId: string; before: Texts; texts: Texts; broken: boolean; saved: () => void }) {
  const [comment, setComment] = useState("");
  const push = useMutation({
    mutationFn: () => api.call(method.pushPolicy, { policyId, files: filesOf(texts), comment }),
    onSuccess: async () => {
      setComment("");
      await queryClient.invalidateQueries();
      saved();
    },
  });
  const changed = isChanged(before, texts);
  return (
    <form onSubmit={(submit) => (submit.preventDefault(), push.mutate())}>
      <Group gap="sm" align="flex-end">
        <TextInput size="xs" label="What is new" placeholder="for the record" w={280} maxLength={1024} value={comment} onChange={(change) => setComment(change.currentTarget.value)} />
        <Button type="submit" size="xs" loading={push.isPending} disabled={!changed || broken || !policyId}>Save as new version</Button>
        {changed && before[SIGNATURE] !== undefined && <Text size="xs" c="dimmed">The new version is not signed.</Text>}
        {push.isSuccess && !changed && <Text size="sm" role="status">Saved. Nothing in force has changed.</Text>}
      </Group>
      {push.error && <Alert color="red" role="alert" mt="sm">{push.error.message}</Alert>}
    </form>
  );
}
