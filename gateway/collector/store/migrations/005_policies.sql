-- SPDX-License-Identifier: Apache-2.0
-- Policies, their versions and where each is in force; freezes; what operators did. Nothing is removed but what was passed on.

CREATE TABLE policies (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  policy_id TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  stage INTEGER NOT NULL,                 -- PolicyStage
  scope BLOB NOT NULL,                    -- PolicyScope
  version INTEGER NOT NULL,               -- in force; the newest for a draft
  candidate INTEGER NOT NULL,             -- monitored beside the enforced one; 0 = none
  newest INTEGER NOT NULL,
  created INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated INTEGER NOT NULL,
  updated_by TEXT NOT NULL
);

CREATE TABLE policy_versions (
  policy_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL,
  signed_by TEXT NOT NULL,
  expires INTEGER,
  bytes INTEGER NOT NULL,
  body BLOB NOT NULL,                     -- PolicyVersion as pushed
  PRIMARY KEY (policy_id, version)
) WITHOUT ROWID;

CREATE TABLE policy_states (
  policy_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  host_id TEXT NOT NULL,
  component TEXT NOT NULL,
  problem TEXT NOT NULL,                  -- '' = in force
  time INTEGER NOT NULL,
  PRIMARY KEY (policy_id, version, host_id, component)
) WITHOUT ROWID;

CREATE TABLE freezes (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  freeze_id TEXT NOT NULL UNIQUE,
  body BLOB NOT NULL,                     -- Freeze as created
  created INTEGER NOT NULL,
  expires INTEGER,
  lifted INTEGER,
  lifted_by TEXT
);
CREATE INDEX freezes_live ON freezes (ref) WHERE lifted IS NULL;

CREATE TABLE freeze_states (
  freeze_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  component TEXT NOT NULL,
  problem TEXT NOT NULL,                  -- '' = in force
  time INTEGER NOT NULL,
  latency_us INTEGER NOT NULL,            -- of the first word that it is in force
  PRIMARY KEY (freeze_id, host_id, component)
) WITHOUT ROWID;

-- Written with the change itself, made an event afterwards.
CREATE TABLE operator_actions (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  event BLOB NOT NULL                     -- Event
);
