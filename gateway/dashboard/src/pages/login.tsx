// SPDX-License-Identifier: Apache-2.0
import { Button, Center, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useEffect, useState, type FormEvent } from "react";
import { Api } from "../api/client";
import { ApiError } from "../api/errors";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import { queryClient, tokens } from "../api/queries";
import { cleanToken, type SignOutReason } from "../api/token";

const REASONS: Record<SignOutReason, string> = {
  "signed-out": "You are logged out.",
  refused: "The collector refused the token: it may be wrong, revoked or expired.",
};

// Asks the collector before the token is kept, so that a typing error is told here.
async function checkToken(token: string): Promise<string | null> {
  try {
    await new Api({ token: () => token }).call(Operator.method.getStatus, {});
    return null;
  } catch (error) {
    if (error instanceof ApiError && error.kind === "refused") return "The collector does not know this token.";
    return error instanceof Error ? error.message : String(error);
  }
}

export function LoginPage({ reason }: { reason: SignOutReason | null }) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Log in · AISPM";
  }, []);

  const submit = async (submitted: FormEvent) => {
    submitted.preventDefault();
    const token = cleanToken(text);
    if (!token) return setError("A token is one word of at most 512 characters.");
    setBusy(true);
    const problem = await checkToken(token);
    setBusy(false);
    if (problem) return setError(problem);
    queryClient.clear();
    tokens.signIn(token);
  };

  return (
    <Center mih="100vh" p="md" component="main" style={{ background: "var(--page)" }}>
      <Paper withBorder p="xl" w="100%" maw={420} component="form" onSubmit={submit}>
        <Stack>
          <Group gap="sm">
            <img src="/favicon.svg" alt="" width={32} height={32} />
            <Title order={1}>AISPM</Title>
          </Group>
          {reason && <Text size="sm" role="status">{REASONS[reason]}</Text>}
          <PasswordInput label="Operator token" value={text} error={error} autoComplete="off" data-autofocus autoFocus
            description="Kept in this browser tab only and forgotten when it is closed."
            onChange={(change) => (setText(change.currentTarget.value), setError(null))} />
          <Button type="submit" loading={busy} disabled={text.trim() === ""}>Log in</Button>
          <Text size="xs" c="dimmed">
            On the collector's host, <code>./dev up</code> prints a link that logs you in.
          </Text>
        </Stack>
      </Paper>
    </Center>
  );
}
