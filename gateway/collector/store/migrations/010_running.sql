-- Sandboxed runs that go on, newest first: freezes of sessions and agents are told to the kernel as these (FrozenRuns).
CREATE INDEX sessions_running ON sessions (host, started) WHERE started IS NOT NULL AND ended IS NULL;
