-- SPDX-License-Identifier: Apache-2.0
-- Actions that wait or waited for a person, the links by which people answer, and the roles in which tokens may approve.

CREATE TABLE approvals (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  approval_id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  state INTEGER NOT NULL,                 -- ApprovalState
  body BLOB NOT NULL,                     -- Approval
  expires INTEGER NOT NULL,
  changed INTEGER NOT NULL
);
CREATE INDEX approvals_action ON approvals (agent_id, digest);
CREATE INDEX approvals_changed ON approvals (changed);

-- Gateways that asked.
CREATE TABLE approval_hosts (
  approval_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  PRIMARY KEY (approval_id, host_id)
) WITHOUT ROWID;
CREATE INDEX approval_hosts_host ON approval_hosts (host_id);

CREATE TABLE approval_links (
  link_id TEXT PRIMARY KEY,
  approval_id TEXT NOT NULL,
  person TEXT NOT NULL,
  roles TEXT NOT NULL,                    -- separated by spaces
  expires INTEGER NOT NULL,
  made_by TEXT NOT NULL,
  used INTEGER
) WITHOUT ROWID;

ALTER TABLE api_tokens ADD COLUMN approves TEXT NOT NULL DEFAULT '';  -- roles, separated by spaces
