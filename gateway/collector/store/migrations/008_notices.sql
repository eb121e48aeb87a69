-- SPDX-License-Identifier: Apache-2.0
-- Who is still to be told that somebody is asked, kept with the approval itself.

ALTER TABLE approvals ADD COLUMN notice_due INTEGER;  -- when to tell next; NULL = told, or not to be told
ALTER TABLE approvals ADD COLUMN notice_tries INTEGER NOT NULL DEFAULT 0;
CREATE INDEX approvals_notice ON approvals (notice_due) WHERE notice_due IS NOT NULL;
CREATE INDEX approval_links_approval ON approval_links (approval_id);
