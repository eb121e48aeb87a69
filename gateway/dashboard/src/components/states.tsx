// SPDX-License-Identifier: Apache-2.0
// Loading, empty and error states: the same in every view.
import { Alert, Button, Center, Group, Skeleton, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { ApiError } from "../api/errors";
import { Icon } from "./icons";

const ERROR_TITLES: Record<ApiError["kind"], string> = {
  refused: "The token was refused",
  forbidden: "Your token does not allow this",
  missing: "Not found",
  invalid: "The request was refused",
  unreachable: "Collector unreachable",
  failed: "The collector reported an error",
  malformed: "The answer could not be read",
};

export function LoadingState({ rows = 6, label }: { rows?: number; label: string }) {
  return (
    <Stack gap="xs" role="status" aria-label={`Loading ${label}`}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={28} radius="sm" />
      ))}
    </Stack>
  );
}

export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Center py="xl">
      <Stack gap={6} align="center" maw={460} data-testid="empty">
        <Text c="dimmed" component="span"><Icon name="empty" size={32} /></Text>
        <Text fw={600} ta="center">{title}</Text>
        {children && <Text size="sm" c="dimmed" ta="center">{children}</Text>}
      </Stack>
    </Center>
  );
}

export function ErrorState({ error, retry, stale }: { error: Error; retry?: () => void; stale?: boolean }) {
  const title = error instanceof ApiError ? ERROR_TITLES[error.kind] : "Something went wrong in the dashboard";
  return (
    <Alert color="red" title={title} icon={<Icon name="warning" />} role="alert" mb={stale ? "md" : 0}>
      <Group justify="space-between" gap="sm" align="center">
        <Text size="sm">{error.message}{stale && " What you see below is the last answer."}</Text>
        {retry && <Button size="xs" variant="default" onClick={retry}>Try again</Button>}
      </Group>
    </Alert>
  );
}

interface QueryLike<T> {
  readonly data: T | undefined;
  readonly error: Error | null;
  readonly isPending: boolean;
  readonly refetch: () => unknown;
}

// Shows what a query has: its data (with a warning when it could not be refreshed), its error, or that it loads.
export function QueryView<T>({ query, label, children }: { query: QueryLike<T>; label: string; children: (data: T) => ReactNode }) {
  const retry = () => void query.refetch();
  if (query.data !== undefined) {
    return (
      <>
        {query.error && <ErrorState error={query.error} retry={retry} stale />}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <ErrorState error={query.error} retry={retry} />;
  return <LoadingState label={label} />;
}
