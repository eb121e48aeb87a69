-- SPDX-License-Identifier: Apache-2.0
-- What events say about the fleet, kept as state: assets, MCP servers, who uses what, coverage, names, baselines.

CREATE TABLE assets (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  host INTEGER NOT NULL,
  asset_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  asset BLOB NOT NULL,                    -- Asset as last reported
  agent INTEGER,
  origin INTEGER NOT NULL,                -- 0 reported by a sensor, 1 made here for an agent that no sensor reported
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  reported INTEGER NOT NULL DEFAULT 0,    -- time of the report in `asset`
  gone INTEGER,
  resync TEXT NOT NULL DEFAULT '',        -- the last full scan that named it
  state INTEGER NOT NULL DEFAULT 0,       -- 0 unsanctioned, 1 sanctioned, 2 ignored
  owner TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  changed_by TEXT NOT NULL DEFAULT '',
  changed INTEGER,
  UNIQUE (host, asset_id)
);
CREATE INDEX assets_seen ON assets (last_seen);
CREATE INDEX assets_resync ON assets (host, resync);
CREATE INDEX assets_agent ON assets (agent) WHERE agent IS NOT NULL;
CREATE TABLE asset_changes (
  ref INTEGER PRIMARY KEY,
  asset INTEGER NOT NULL,
  time INTEGER NOT NULL,
  who TEXT NOT NULL,
  state_before INTEGER NOT NULL,
  state INTEGER NOT NULL,
  owner_before TEXT NOT NULL,
  owner TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX asset_changes_asset ON asset_changes (asset);
CREATE TRIGGER asset_changes_stay BEFORE UPDATE ON asset_changes BEGIN SELECT RAISE(ABORT, 'changes are not rewritten'); END;
CREATE TRIGGER asset_changes_remain BEFORE DELETE ON asset_changes BEGIN SELECT RAISE(ABORT, 'changes are not deleted'); END;
CREATE TABLE resyncs (                    -- the full scan of a host that is coming in, or came in last
  host INTEGER PRIMARY KEY,
  resync TEXT NOT NULL,
  started INTEGER NOT NULL,
  is_complete INTEGER NOT NULL
);

CREATE TABLE mcp_servers (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  host INTEGER NOT NULL,
  transport TEXT NOT NULL,
  name TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  version TEXT NOT NULL DEFAULT '',
  protocol_version TEXT NOT NULL DEFAULT '',
  process BLOB,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  listed INTEGER,                         -- time of the newest tool list; null when none was seen
  changes INTEGER NOT NULL DEFAULT 0,
  last_change INTEGER,
  risky INTEGER NOT NULL DEFAULT 0,       -- last time of something severe; 0 never. The same in other tables
  judged INTEGER NOT NULL DEFAULT 0,      -- last time a policy decided about it
  UNIQUE (host, transport, name, endpoint)
);
CREATE INDEX mcp_servers_seen ON mcp_servers (last_seen);
CREATE TABLE mcp_server_agents (server INTEGER NOT NULL, agent INTEGER NOT NULL, PRIMARY KEY (server, agent)) WITHOUT ROWID;
CREATE TABLE mcp_tools (
  server INTEGER NOT NULL,
  name TEXT NOT NULL,
  description_sha256 TEXT NOT NULL DEFAULT '',
  schema_sha256 TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  changed INTEGER,
  removed INTEGER NOT NULL DEFAULT 0,
  is_listed INTEGER NOT NULL DEFAULT 0,   -- 0: known from calls only
  calls INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  risky INTEGER NOT NULL DEFAULT 0,
  judged INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (server, name)
) WITHOUT ROWID;
CREATE INDEX mcp_tools_name ON mcp_tools (name);
CREATE TABLE mcp_tool_changes (
  ref INTEGER PRIMARY KEY,
  server INTEGER NOT NULL,
  time INTEGER NOT NULL,
  tool TEXT NOT NULL,
  change TEXT NOT NULL,
  description_before TEXT NOT NULL,
  description_after TEXT NOT NULL,
  schema_before TEXT NOT NULL,
  schema_after TEXT NOT NULL
);
CREATE INDEX mcp_tool_changes_server ON mcp_tool_changes (server);
CREATE INDEX mcp_tool_changes_time ON mcp_tool_changes (time);

CREATE TABLE nodes (
  ref INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,                  -- inventory::NodeKind
  name TEXT NOT NULL,
  UNIQUE (kind, name)
);
CREATE TABLE edges (                      -- on whose behalf, from what, to what, on which host
  agent INTEGER NOT NULL,                 -- node
  source INTEGER NOT NULL,                -- node
  target INTEGER NOT NULL,                -- node
  host INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  count INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  risky INTEGER NOT NULL,
  judged INTEGER NOT NULL,
  PRIMARY KEY (agent, source, target, host)
) WITHOUT ROWID;
CREATE INDEX edges_seen ON edges (last_seen);
CREATE INDEX edges_host ON edges (host, last_seen);
CREATE INDEX edges_target ON edges (target, last_seen);

CREATE TABLE coverage (                   -- the newest totals of each process
  ref INTEGER PRIMARY KEY,
  host INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start INTEGER NOT NULL,
  agent INTEGER,
  program TEXT NOT NULL,
  process BLOB NOT NULL,                  -- Process
  connections INTEGER NOT NULL,
  wire_bytes INTEGER NOT NULL,
  plaintext_bytes INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  UNIQUE (host, pid, start)
);
CREATE INDEX coverage_seen ON coverage (last_seen);
CREATE TABLE coverage_gaps (
  process INTEGER NOT NULL,               -- ref of coverage
  library TEXT NOT NULL,
  reason TEXT NOT NULL,
  connections INTEGER NOT NULL,
  wire_bytes INTEGER NOT NULL,
  PRIMARY KEY (process, library, reason)
) WITHOUT ROWID;

CREATE TABLE seen_names (
  ref INTEGER PRIMARY KEY,
  host INTEGER NOT NULL,
  program TEXT NOT NULL,
  agent INTEGER NOT NULL,                 -- 0 for none
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  provider TEXT NOT NULL,
  encrypted_hello INTEGER NOT NULL,
  doh INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  UNIQUE (host, program, agent, name, source)
);
CREATE INDEX seen_names_seen ON seen_names (last_seen);

CREATE TABLE baselines (
  agent_id TEXT PRIMARY KEY,
  baseline BLOB NOT NULL,                 -- Baseline
  imported INTEGER NOT NULL,
  imported_by TEXT NOT NULL
) WITHOUT ROWID;

ALTER TABLE calls ADD COLUMN agent INTEGER;
ALTER TABLE calls ADD COLUMN duration_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN route INTEGER NOT NULL DEFAULT 0;  -- 0 unknown, 1 gateway, 2 local, 3 direct
UPDATE calls SET agent=(SELECT agent FROM events WHERE seq=calls.event);
CREATE INDEX calls_agent ON calls (agent, time) WHERE agent IS NOT NULL;
CREATE INDEX calls_direct ON calls (time) WHERE route=3;
ALTER TABLE agents ADD COLUMN risky INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN judged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN risky INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN judged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN risky INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN judged INTEGER NOT NULL DEFAULT 0;
