-- SPDX-License-Identifier: Apache-2.0
-- Times are nanoseconds since 1970, refs are local row numbers. What a column of `events` holds is not in `body` again.

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE hosts (
  ref INTEGER PRIMARY KEY,
  host_id TEXT NOT NULL UNIQUE,
  identity TEXT NOT NULL UNIQUE,          -- what stood for the host at enrolment: machine id or host name
  hostname TEXT NOT NULL,
  os TEXT NOT NULL DEFAULT '',
  kernel TEXT NOT NULL DEFAULT '',
  architecture TEXT NOT NULL DEFAULT '',
  boot_id TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  events INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE producers (
  ref INTEGER PRIMARY KEY,
  host INTEGER NOT NULL,
  producer_id TEXT NOT NULL,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  UNIQUE (host, producer_id)
);

CREATE TABLE components (
  host INTEGER NOT NULL,
  component TEXT NOT NULL,
  version TEXT NOT NULL DEFAULT '',
  hostname TEXT NOT NULL DEFAULT '',
  last_seen INTEGER NOT NULL,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  health BLOB,                            -- last ComponentHealth
  noted BLOB,                             -- what of it was last stored as an event
  PRIMARY KEY (host, component)
) WITHOUT ROWID;

CREATE TABLE agents (
  ref INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL UNIQUE,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  llm_calls INTEGER NOT NULL DEFAULT 0,
  denied INTEGER NOT NULL DEFAULT 0,
  redacted INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE agent_models (agent INTEGER NOT NULL, model TEXT NOT NULL, PRIMARY KEY (agent, model)) WITHOUT ROWID;

CREATE TABLE sessions (
  ref INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL UNIQUE,
  agent INTEGER,
  host INTEGER NOT NULL,
  pid_namespace INTEGER,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  started INTEGER,                        -- time of SandboxStart; null when none was seen
  ended INTEGER,
  launch BLOB,                            -- SandboxStart
  exit_code INTEGER NOT NULL DEFAULT 0,
  signal INTEGER NOT NULL DEFAULT 0,
  llm_calls INTEGER NOT NULL DEFAULT 0,
  detections INTEGER NOT NULL DEFAULT 0,
  denied INTEGER NOT NULL DEFAULT 0,
  redacted INTEGER NOT NULL DEFAULT 0,
  sandbox_denials INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sessions_agent ON sessions (agent);
CREATE INDEX sessions_seen ON sessions (last_seen);
CREATE INDEX sessions_namespace ON sessions (host, pid_namespace, started) WHERE started IS NOT NULL;

CREATE TABLE processes (
  ref INTEGER PRIMARY KEY,
  host INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start INTEGER NOT NULL,
  pid_namespace INTEGER,
  name TEXT NOT NULL,                     -- executable and task name, for search
  process BLOB NOT NULL,                  -- Process
  sanctioned INTEGER,                     -- null until an AiUse says so, which counts as unsanctioned
  confidence REAL NOT NULL DEFAULT 0,
  calls INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  running INTEGER NOT NULL DEFAULT 1,
  agent INTEGER,
  session INTEGER,
  UNIQUE (host, pid, start)
);
CREATE INDEX processes_namespace ON processes (host, pid_namespace);
CREATE INDEX processes_session ON processes (session) WHERE session IS NOT NULL;
CREATE TABLE process_facts (
  process INTEGER NOT NULL,
  kind INTEGER NOT NULL,                  -- 1 provider, 2 model, 3 evidence
  value TEXT NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (process, kind, value)
) WITHOUT ROWID;
CREATE INDEX process_facts_value ON process_facts (kind, value, process, calls);

CREATE TABLE providers (
  ref INTEGER PRIMARY KEY,
  provider TEXT NOT NULL UNIQUE,
  calls INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL
);
CREATE TABLE provider_hosts (provider INTEGER NOT NULL, host TEXT NOT NULL, PRIMARY KEY (provider, host)) WITHOUT ROWID;

CREATE TABLE models (
  ref INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  provider INTEGER NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  UNIQUE (model, provider)
);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id BLOB NOT NULL,                       -- 16 bytes
  host INTEGER NOT NULL,
  time INTEGER NOT NULL,
  kind INTEGER NOT NULL,                  -- field number of the body in Event
  source INTEGER NOT NULL,
  agent INTEGER,
  session INTEGER,
  trace BLOB,                             -- 16 bytes
  pid_namespace INTEGER,                  -- null for none and for the host's own
  process_start INTEGER,
  outcome INTEGER,
  detections INTEGER NOT NULL,
  body BLOB NOT NULL                      -- Event without the fields above
);
-- One id counts once for each host: no host can make another's event look like a repetition.
CREATE UNIQUE INDEX events_id ON events (id, host);
CREATE INDEX events_time ON events (time);
CREATE INDEX events_kind ON events (kind, time);
CREATE INDEX events_host ON events (host, time);
CREATE INDEX events_agent ON events (agent, time) WHERE agent IS NOT NULL;
CREATE INDEX events_session ON events (session, time, kind, process_start) WHERE session IS NOT NULL;
CREATE INDEX events_trace ON events (trace) WHERE trace IS NOT NULL;
CREATE INDEX events_namespace ON events (host, pid_namespace, time) WHERE pid_namespace IS NOT NULL;
CREATE INDEX events_detected ON events (time) WHERE detections > 0;
CREATE INDEX events_decided ON events (time) WHERE outcome > 1;
CREATE INDEX events_told ON events (source, time) WHERE source <> 1;

CREATE TABLE event_counts (
  minute INTEGER NOT NULL,                -- minutes since 1970
  kind INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (minute, kind)
) WITHOUT ROWID;

CREATE TABLE calls (
  event INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  provider INTEGER NOT NULL,
  model INTEGER,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  verdict INTEGER NOT NULL                -- 0 passed, 1 denied, 2 redacted, as applied
);
CREATE INDEX calls_time ON calls (time, provider, model, verdict, input_tokens, output_tokens);

CREATE TABLE detections (
  ref INTEGER PRIMARY KEY,
  event INTEGER NOT NULL,
  time INTEGER NOT NULL,
  category TEXT NOT NULL,
  rule TEXT NOT NULL,
  severity INTEGER NOT NULL
);
CREATE INDEX detections_time ON detections (time, category);
CREATE INDEX detections_event ON detections (event);

CREATE TABLE verdicts (                   -- decisions other than ALLOW that were applied, and sandbox denials
  event INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  verdict INTEGER NOT NULL,               -- 1 denied, 2 redacted, 3 sandbox denial
  count INTEGER NOT NULL
);
CREATE INDEX verdicts_time ON verdicts (time, verdict, count);

CREATE TABLE api_tokens (
  sha256 TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  note TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE enrolment_tokens (
  sha256 TEXT PRIMARY KEY,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used INTEGER,
  used_by TEXT
) WITHOUT ROWID;

CREATE TABLE agent_keys (
  ref INTEGER PRIMARY KEY,
  key_id TEXT NOT NULL UNIQUE,
  sha256 TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  note TEXT NOT NULL,
  created INTEGER NOT NULL,
  revoked INTEGER
);
