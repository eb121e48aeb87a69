// SPDX-License-Identifier: Apache-2.0
// Where the nodes of a topology stand: one column a kind, in the order of the chain; within a column near what they hang on. Pure.
import type { TopologyEdge, TopologyNode } from "../api/gen/aispm/v1/inventory_pb";

export const COLUMN_WIDTH = 270;
export const ROW_HEIGHT = 62;
// More than that nobody can read; the rest is listed below the picture.
export const MAX_DRAWN_NODES = 240;

// Data and services hang on agents directly: they stand in lanes of their own below the chain, so that no edge runs behind a node.
const PLACES: Record<string, { readonly column: number; readonly lane: number }> = {
  agent: { column: 0, lane: 0 }, program: { column: 0, lane: 0 }, model: { column: 1, lane: 0 }, mcp_server: { column: 1, lane: 0 },
  tool: { column: 2, lane: 0 }, provider: { column: 3, lane: 0 }, data: { column: 2, lane: 1 }, service: { column: 3, lane: 2 },
};
const ELSEWHERE = { column: 3, lane: 2 };

export const KIND_LABELS: Record<string, string> = {
  agent: "Agent", program: "Program", model: "Model", mcp_server: "MCP server", tool: "Tool", data: "Data", provider: "Provider", service: "Service",
};

export interface Placed {
  readonly node: TopologyNode;
  readonly x: number;
  readonly y: number;
}

// The nodes that are drawn: of those with the most use, at most MAX_DRAWN_NODES.
export function chooseNodes(nodes: readonly TopologyNode[], edges: readonly TopologyEdge[]): TopologyNode[] {
  if (nodes.length <= MAX_DRAWN_NODES) return [...nodes];
  const weight = new Map<string, number>();
  for (const { from, to, count } of edges) {
    for (const id of [from, to]) weight.set(id, (weight.get(id) ?? 0) + Number(count) + 1);
  }
  return [...nodes].sort((a, b) => (weight.get(b.id) ?? 0) - (weight.get(a.id) ?? 0)).slice(0, MAX_DRAWN_NODES);
}

export function place(nodes: readonly TopologyNode[], edges: readonly TopologyEdge[]): Placed[] {
  const sources = new Map<string, string[]>();
  for (const { from, to } of edges) sources.set(to, [...(sources.get(to) ?? []), from]);
  const rows = new Map<string, number>();
  // The middle of those it hangs on, as far as they stand already.
  const pull = (node: TopologyNode): number => {
    const known = (sources.get(node.id) ?? []).flatMap((id) => rows.get(id) ?? []);
    return known.length > 0 ? known.reduce((sum, row) => sum + row, 0) / known.length : 0;
  };
  const placeOf = ({ kind }: TopologyNode) => PLACES[kind] ?? ELSEWHERE;
  const used = [...new Set(nodes.map((node) => placeOf(node).column))].sort((a, b) => a - b);
  const placed: Placed[] = [];
  let top = 0;
  for (const lane of [0, 1, 2]) {
    const inLane = nodes.filter((node) => placeOf(node).lane === lane);
    if (inLane.length === 0) continue;
    const columns = used.map((column) => inLane.filter((node) => placeOf(node).column === column));
    const height = Math.max(...columns.map((own) => own.length));
    columns.forEach((own, index) => {
      own.sort((a, b) => pull(a) - pull(b) || a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name));
      own.forEach((node, position) => {
        const row = top + (height - own.length) / 2 + position;
        rows.set(node.id, row);
        placed.push({ node, x: index * COLUMN_WIDTH, y: row * ROW_HEIGHT });
      });
    });
    top += height;
  }
  return placed;
}

// Rows that the drawn nodes take, for the height of the picture.
export function rowCount(placed: readonly Placed[]): number {
  return placed.length === 0 ? 0 : Math.max(...placed.map(({ y }) => y)) / ROW_HEIGHT + 1;
}
