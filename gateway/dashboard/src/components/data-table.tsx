// SPDX-License-Identifier: Apache-2.0
import { Box, Button, Group, Table, Text, UnstyledButton } from "@mantine/core";
import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  sortFn_datetime,
  sortFn_text,
  tableFeatures,
  useTable,
  type ColumnDef,
  type RowData,
} from "@tanstack/react-table";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic, datetime: sortFn_datetime, text: sortFn_text },
});

export type Column<T extends RowData> = ColumnDef<typeof features, T, unknown>;

export function columnsOf<T extends RowData>() {
  return createColumnHelper<typeof features, T>();
}

interface Props<T extends RowData> {
  readonly caption: string;
  readonly columns: Column<T>[];
  readonly rows: T[];
  readonly rowId: (row: T) => string;
  // The row's own action: its first cell becomes a button of that name, and a click anywhere on the row does the same.
  readonly onOpen?: (row: T) => void;
  readonly sortable?: boolean;
  readonly minWidth?: number;
  readonly more?: { readonly has: boolean; readonly loading: boolean; readonly load: () => void };
}

const ARIA_SORT = { asc: "ascending", desc: "descending" } as const;

// A table that sorts the rows it has. Rows that were not loaded yet are said to be missing, below it.
export function DataTable<T extends RowData>({ caption, columns, rows, rowId, onOpen, sortable = true, minWidth = 760, more }: Props<T>) {
  const table = useTable({ features, columns, data: rows, getRowId: rowId, enableSorting: sortable });
  return (
    <Box>
      <Table.ScrollContainer minWidth={minWidth} tabIndex={0} aria-label={`${caption}, scrollable`} role="region">
        <Table highlightOnHover={!!onOpen} verticalSpacing={6} className="data-table">
          <Table.Caption className="visually-hidden">{caption}</Table.Caption>
          <Table.Thead>
            {table.getHeaderGroups().map((group) => (
              <Table.Tr key={group.id}>
                {group.headers.map((header) => {
                  const sorted = header.column.getIsSorted();
                  return (
                    <Table.Th key={header.id} scope="col" aria-sort={sorted ? ARIA_SORT[sorted] : undefined}>
                      {header.column.getCanSort() ? (
                        <UnstyledButton className="sort-button" onClick={header.column.getToggleSortingHandler()}>
                          <table.FlexRender header={header} />
                          <span aria-hidden="true">{sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}</span>
                        </UnstyledButton>
                      ) : (
                        <table.FlexRender header={header} />
                      )}
                    </Table.Th>
                  );
                })}
              </Table.Tr>
            ))}
          </Table.Thead>
          <Table.Tbody>
            {table.getRowModel().rows.map((row) => (
              <Table.Tr key={row.id} onClick={onOpen && (() => onOpen(row.original))} className={onOpen ? "openable" : undefined}>
                {row.getAllCells().map((cell, index) => (
                  <Table.Td key={cell.id}>
                    {onOpen && index === 0 ? (
                      <UnstyledButton className="row-button" onClick={(click) => (click.stopPropagation(), onOpen(row.original))}>
                        <table.FlexRender cell={cell} />
                      </UnstyledButton>
                    ) : (
                      <table.FlexRender cell={cell} />
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {more?.has && (
        <Group justify="center" mt="sm" gap="sm">
          <Text size="sm" c="dimmed">{rows.length} loaded; sorting applies to these.</Text>
          <Button size="xs" variant="default" onClick={more.load} loading={more.loading}>Load more</Button>
        </Group>
      )}
    </Box>
  );
}
