-- SPDX-License-Identifier: Apache-2.0
-- What held an agent in at its last run in a workspace: SandboxStart.boundary, one line a line.

CREATE TABLE boundaries (
  agent INTEGER NOT NULL,
  host INTEGER NOT NULL,
  workspace TEXT NOT NULL,
  time INTEGER NOT NULL,
  lines TEXT NOT NULL,
  PRIMARY KEY (agent, host, workspace)
) WITHOUT ROWID;
