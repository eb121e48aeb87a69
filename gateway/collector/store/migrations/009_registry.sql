-- SPDX-License-Identifier: Apache-2.0
-- Agents and tools: what was seen of them, what people decided, and every decision with who, when and why.

CREATE TABLE registry_tools (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  provider TEXT NOT NULL,                 -- MCP server; '' = any, or none is known
  name TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,       -- 0 nobody has decided, 1 approved, 2 blocked
  reason TEXT NOT NULL DEFAULT '',
  facts BLOB,                             -- ToolFacts; NULL: none are on record
  first_seen INTEGER,                     -- NULL: never seen
  last_seen INTEGER,
  calls INTEGER NOT NULL DEFAULT 0,
  decisions INTEGER NOT NULL DEFAULT 0,
  denied INTEGER NOT NULL DEFAULT 0,
  changed INTEGER,                        -- of the last decision; NULL: there is none
  changed_by TEXT NOT NULL DEFAULT '',
  UNIQUE (tenant, provider, name)
);
CREATE INDEX registry_tools_decided ON registry_tools (tenant) WHERE state<>0;
CREATE INDEX registry_tools_seen ON registry_tools (last_seen) WHERE state=0;

CREATE TABLE registry_definitions (
  tool INTEGER NOT NULL,                  -- ref of registry_tools
  description TEXT NOT NULL,              -- SHA-256, hex
  schema TEXT NOT NULL,
  pinned INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER,                     -- NULL: pinned before it was seen
  last_seen INTEGER,
  host INTEGER,                           -- ref of hosts: that reported it last
  findings TEXT NOT NULL DEFAULT '',      -- of the risk scan, separated by spaces
  PRIMARY KEY (tool, description, schema)
) WITHOUT ROWID;

CREATE TABLE registry_tool_hosts (
  tool INTEGER NOT NULL,
  host INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  PRIMARY KEY (tool, host)
) WITHOUT ROWID;

CREATE TABLE registry_agents (            -- those about whom somebody decided; who was seen stands in agents
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  state INTEGER NOT NULL,                 -- as in registry_tools
  reason TEXT NOT NULL,
  rights BLOB,                            -- AgentRights; NULL: the registry grants nothing
  owner TEXT NOT NULL,
  expires INTEGER,
  changed INTEGER NOT NULL,
  changed_by TEXT NOT NULL,
  UNIQUE (tenant, agent_id)
);

CREATE TABLE registry_changes (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,                     -- 'tool' or 'agent'
  provider TEXT NOT NULL,                 -- of a tool
  name TEXT NOT NULL,                     -- of the tool, or the agent's id
  time INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  reason TEXT NOT NULL,
  before TEXT NOT NULL,                   -- JSON of what was on record; '' = nothing
  after TEXT NOT NULL,
  version INTEGER NOT NULL                -- of the policy aispm.registry that holds it
);
CREATE INDEX registry_changes_target ON registry_changes (tenant, kind, name, provider);
CREATE TRIGGER registry_changes_stay BEFORE UPDATE ON registry_changes BEGIN SELECT RAISE(ABORT, 'changes are not rewritten'); END;
CREATE TRIGGER registry_changes_remain BEFORE DELETE ON registry_changes BEGIN SELECT RAISE(ABORT, 'changes are not deleted'); END;
