// SPDX-License-Identifier: Apache-2.0
import { Box, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";

export function Page({ title, aside, lead, children }: { title: string; aside?: ReactNode; lead?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · AISPM`;
  }, [title]);
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end" gap="sm">
        <Box>
          <Title order={1}>{title}</Title>
          {lead && <Text size="sm" c="dimmed" mt={2} component="div">{lead}</Text>}
        </Box>
        {aside}
      </Group>
      {children}
    </Stack>
  );
}

export function Panel({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title} className="panel">
      <Group justify="space-between" mb="sm" gap="xs" wrap="nowrap">
        <Title order={2}>{title}</Title>
        {aside}
      </Group>
      {children}
    </Paper>
  );
}

// A labelled value; `label` is always text, so that a screen reader reads the pair.
export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Box className="fact">
      <Text component="dt" size="xs" c="dimmed">{label}</Text>
      <Text component="dd" size="sm" m={0} style={{ overflowWrap: "anywhere" }}>{children}</Text>
    </Box>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}
