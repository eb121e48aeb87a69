-- SPDX-License-Identifier: Apache-2.0
-- Who was told that somebody is asked: of each receiver apart, so that one that is away holds up no other. What is open and has
-- no row is still to be told.
CREATE TABLE approval_notices (
  receiver TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  due INTEGER,  -- when to tell again; NULL = taken
  tries INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (receiver, approval_id)
) WITHOUT ROWID;
CREATE INDEX approvals_open ON approvals (expires) WHERE state IN (1,6,7);
-- The one receiver that there was before is called `notify`.
INSERT INTO approval_notices SELECT 'notify', approval_id, notice_due, notice_tries FROM approvals
  WHERE state IN (1,6,7) AND (notice_due IS NULL OR notice_tries > 0);
DROP INDEX approvals_notice;
ALTER TABLE approvals DROP COLUMN notice_due;
ALTER TABLE approvals DROP COLUMN notice_tries;
