-- SPDX-License-Identifier: Apache-2.0
-- What calls cost, as the gateway's price table says.

ALTER TABLE calls ADD COLUMN cost INTEGER;                           -- billionths of a US dollar; NULL: no price is known
ALTER TABLE calls ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;   -- its token counts are
