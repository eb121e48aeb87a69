-- SPDX-License-Identifier: Apache-2.0
-- What operators told sensors to enforce, who did so, and what each host makes of it. Nothing is removed: this is a record.

CREATE TABLE orders (
  ref INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id TEXT NOT NULL UNIQUE,
  host_id TEXT NOT NULL,                  -- '' = every host
  body BLOB NOT NULL,                     -- Order as created
  created INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires INTEGER,
  deleted INTEGER,
  deleted_by TEXT
);
CREATE INDEX orders_live ON orders (host_id) WHERE deleted IS NULL;

CREATE TABLE order_states (
  order_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  problem TEXT NOT NULL,                  -- '' = in force
  time INTEGER NOT NULL,
  PRIMARY KEY (order_id, host_id)
) WITHOUT ROWID;
