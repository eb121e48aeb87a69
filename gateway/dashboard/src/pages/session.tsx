// SPDX-License-Identifier: Apache-2.0
import { Alert, Anchor, Chip, Group, Stack, Text } from "@mantine/core";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type CSSProperties } from "react";
import { Link, useParams } from "react-router";
import type { Session, SessionStory } from "../api/gen/aispm/v1/api_pb";
import type { Event } from "../api/gen/aispm/v1/event_pb";
import { sessionQuery } from "../api/queries";
import { ProfileBadge, ToneBadge } from "../components/bits";
import { EventDrawer } from "../components/event-drawer";
import { Fact, Facts, Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { endLabel, processName } from "../events/describe";
import { formatCommand, formatCount, formatDateTime, formatDurationMs, NOTHING, plural } from "../format";
import { buildDestinations, buildProcessTree, buildStory, STEP_GROUPS, type StepGroup } from "../story/build";
import { StoryStep } from "../story/step";

const GROUPS: readonly { readonly value: StepGroup; readonly label: string }[] = [
  { value: "prompts", label: "Prompts and decisions" },
  { value: "processes", label: "Processes" },
  { value: "connections", label: "Connections and denials" },
  { value: "logs", label: "Log lines" },
];

function Summary({ session }: { session: Session }) {
  const { start, end } = session;
  return (
    <Panel title="This run" aside={session.running ? <ToneBadge tone="info">running</ToneBadge> : (
      <ToneBadge tone={session.exitCode === 0 && session.signal === 0 ? "good" : "warn"}>{end ? endLabel(session.exitCode, session.signal) : "end not seen"}</ToneBadge>
    )}>
      <Facts>
        <Fact label="Agent">{session.agentId || NOTHING}</Fact>
        <Fact label="Command"><span className="mono">{formatCommand(session.command) || NOTHING}</span></Fact>
        <Fact label="Sandbox profile"><ProfileBadge name={session.profile} /></Fact>
        <Fact label="Workspace"><span className="mono">{session.workspace || NOTHING}</span></Fact>
        <Fact label="Host">{session.hostname || session.hostId || NOTHING}</Fact>
        <Fact label="Started">{formatDateTime(start)}</Fact>
        <Fact label="Duration">{start && end ? formatDurationMs(timestampMs(end) - timestampMs(start)) : session.running ? "still running" : NOTHING}</Fact>
        <Fact label="LLM calls">{formatCount(session.llmCalls)}</Fact>
        <Fact label="Detections">{formatCount(session.detections)}</Fact>
        <Fact label="Denied / redacted">{formatCount(session.denied)} / {formatCount(session.redacted)}</Fact>
        <Fact label="Sandbox denials">{formatCount(session.sandboxDenials)}</Fact>
        <Fact label="Processes">{formatCount(session.processes)}</Fact>
      </Facts>
    </Panel>
  );
}

function Processes({ events }: { events: readonly Event[] }) {
  const nodes = useMemo(() => buildProcessTree(events), [events]);
  return (
    <Panel title="Processes it started">
      {nodes.length === 0 ? <EmptyState title="No process was seen">Processes are seen by the sensor on the agent's host.</EmptyState> : (
        <ul className="tree">
          {nodes.map(({ key, exec, depth, end }) => (
            <li key={key} style={{ "--depth": depth } as CSSProperties}>
              <span className="mono">{processName(exec.process)}</span>
              <Text size="xs" c="dimmed">pid {exec.process?.pid}{exec.process?.user && `, ${exec.process.user}`}{end ? `, ${endLabel(end.exitCode, end.signal)}` : ", end not seen"}</Text>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Destinations({ events }: { events: readonly Event[] }) {
  const destinations = useMemo(() => buildDestinations(events), [events]);
  return (
    <Panel title="Connections it tried">
      {destinations.length === 0 ? <EmptyState title="No connection was seen" /> : (
        <ul className="tree">
          {destinations.map(({ target, refused, count }) => (
            <li key={target}>
              <Group justify="space-between" gap="xs" wrap="nowrap">
                <span className="mono">{target}</span>
                <Group gap={6} wrap="nowrap">
                  {count > 1n && <Text size="xs" c="dimmed">×{formatCount(count)}</Text>}
                  <ToneBadge tone={refused ? "bad" : "neutral"}>{refused ? "refused" : "tried"}</ToneBadge>
                </Group>
              </Group>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Isolation({ session }: { session: Session }) {
  return (
    <Panel title="Isolation in force">
      {session.mechanisms.length === 0 ? (
        <Text size="sm" c="dimmed">The sandbox reported no mechanism for this run, so none is known to have been in force.</Text>
      ) : (
        <Group gap={6}>{session.mechanisms.map((name) => <ToneBadge key={name} tone="good">{name}</ToneBadge>)}</Group>
      )}
    </Panel>
  );
}

function Story({ story }: { story: SessionStory }) {
  const [groups, setGroups] = useState<string[]>(GROUPS.map(({ value }) => value));
  const [opened, setOpened] = useState<Event | null>(null);
  const steps = useMemo(() => buildStory(story.events), [story.events]);
  const start = story.session?.start ?? steps[0]?.time;
  const shown = steps.filter(({ kind }) => STEP_GROUPS[kind] === "run" || groups.includes(STEP_GROUPS[kind]));
  return (
    <Panel title="What happened" aside={<Text size="xs" c="dimmed">{plural(steps.length, "step")} from {plural(story.events.length, "event")}</Text>}>
      <Chip.Group multiple value={groups} onChange={setGroups}>
        <Group gap={6} mb="md" role="group" aria-label="Show in the story">
          {GROUPS.map(({ value, label }) => <Chip key={value} value={value} size="xs" variant="outline">{label}</Chip>)}
        </Group>
      </Chip.Group>
      {story.truncated && <Alert color="yellow" mb="md" title="The story is cut">This run has more events than one answer holds. The oldest {formatCount(story.events.length)} are shown.</Alert>}
      {steps.length === 0 ? <EmptyState title="No events of this run are stored yet" /> : shown.length === 0 ? <EmptyState title="Every step is hidden by the choice above" /> : (
        <ol className="story" aria-label="Story of the run">
          {shown.map((step) => <StoryStep key={step.id} step={step} startMs={start ? timestampMs(start) : 0} open={() => setOpened(step.event)} />)}
        </ol>
      )}
      <EventDrawer event={opened} close={() => setOpened(null)} />
    </Panel>
  );
}

export function SessionPage() {
  const { sessionId = "" } = useParams();
  const query = useQuery(sessionQuery(sessionId));
  return (
    <Page title={query.data?.session?.agentId ? `Session of ${query.data.session.agentId}` : "Session"}
      lead={<><Anchor component={Link} to="/sessions" size="sm" underline="always">Sessions</Anchor> / <span className="mono">{sessionId}</span></>}>
      <QueryView query={query} label="session">
        {(story) => (
          <>
            {story.session && <Summary session={story.session} />}
            <div className="session-grid">
              <Story story={story} />
              <Stack gap="md">
                <Destinations events={story.events} />
                <Processes events={story.events} />
                {story.session && <Isolation session={story.session} />}
              </Stack>
            </div>
          </>
        )}
      </QueryView>
    </Page>
  );
}
