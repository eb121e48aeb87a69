-- SPDX-License-Identifier: Apache-2.0
-- Who is asked may change (an approval goes to another role), and so may what a receiver wants. What was not for it is kept apart
-- from what it was told of, and both are of one asking.
ALTER TABLE approvals ADD COLUMN asking INTEGER NOT NULL DEFAULT 0;         -- how often the approver role has changed
ALTER TABLE approval_notices ADD COLUMN asking INTEGER NOT NULL DEFAULT 0;  -- of which the row tells; an older one: to be told anew
ALTER TABLE approval_notices ADD COLUMN told INTEGER NOT NULL DEFAULT 0;    -- 1 = the receiver took it, be it an earlier asking
UPDATE approval_notices SET told=1 WHERE due IS NULL;
