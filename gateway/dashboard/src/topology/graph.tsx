// SPDX-License-Identifier: Apache-2.0
// React Flow with the parts in use. Loaded when the first topology is shown.
import "@xyflow/react/dist/style.css";
import { Background, Controls, Handle, MarkerType, Position, ReactFlow, type Edge, type Node, type NodeProps } from "@xyflow/react";
import { useComputedColorScheme } from "@mantine/core";
import { useMemo } from "react";
import type { Topology } from "../api/gen/aispm/v1/inventory_pb";
import { formatCount } from "../format";
import { chooseNodes, KIND_LABELS, place } from "./layout";

type Box = Node<{ kind: string; name: string; risky: boolean; dim: boolean }, "box">;

function BoxNode({ data }: NodeProps<Box>) {
  return (
    <div className={`topo-node topo-${data.kind}${data.risky ? " topo-risky" : ""}${data.dim ? " topo-dim" : ""}`} title={data.name}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="topo-kind">{KIND_LABELS[data.kind] ?? data.kind}{data.risky && " · at risk"}</span>
      <span className="topo-name">{data.name}</span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

const NODE_TYPES = { box: BoxNode };

export interface GraphProps {
  readonly topology: Topology;
  readonly chosen: string;
  readonly choose: (id: string) => void;
}

// What hangs together with the chosen node, in both directions.
function neighbourhood(topology: Topology, chosen: string): Set<string> {
  const near = new Set([chosen]);
  for (const direction of ["down", "up"] as const) {
    let front = [chosen];
    while (front.length > 0) {
      const next = topology.edges.filter(({ from, to }) => front.includes(direction === "down" ? from : to)).map(({ from, to }) => (direction === "down" ? to : from));
      front = [...new Set(next)].filter((id) => !near.has(id));
      front.forEach((id) => near.add(id));
    }
  }
  return near;
}

export default function Graph({ topology, chosen, choose }: GraphProps) {
  const scheme = useComputedColorScheme("light");
  const { nodes, edges } = useMemo(() => {
    const near = chosen ? neighbourhood(topology, chosen) : null;
    const drawn = chooseNodes(topology.nodes, topology.edges);
    const ids = new Set(drawn.map(({ id }) => id));
    const boxes: Box[] = place(drawn, topology.edges).map(({ node, x, y }) => ({
      id: node.id, type: "box", position: { x, y }, data: { kind: node.kind, name: node.name, risky: node.risky, dim: near !== null && !near.has(node.id) },
      ariaLabel: `${KIND_LABELS[node.kind] ?? node.kind} ${node.name}${node.risky ? ", at risk" : ""}`,
    }));
    const lines: Edge[] = topology.edges.filter(({ from, to }) => ids.has(from) && ids.has(to)).map((edge) => {
      const shown = near === null || (near.has(edge.from) && near.has(edge.to));
      return {
        id: `${edge.from}-${edge.to}`, source: edge.from, target: edge.to, className: `${edge.risky ? "topo-line-risky" : ""}${shown ? "" : " topo-dim"}`,
        markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14 }, focusable: false,
        ...(near !== null && shown ? { label: `${formatCount(edge.count)}×` } : {}),
      };
    });
    return { nodes: boxes, edges: lines };
  }, [topology, chosen]);
  return (
    <ReactFlow nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} colorMode={scheme} fitView fitViewOptions={{ padding: 0.08, minZoom: window.innerWidth < 640 ? 0.55 : 0.1, maxZoom: 1.1 }} minZoom={0.1}
      nodesDraggable={false} nodesConnectable={false} zoomOnScroll={false} preventScrolling={false} onNodeClick={(_, node) => choose(node.id === chosen ? "" : node.id)} onPaneClick={() => choose("")}>
      <Background gap={24} />
      <Controls showInteractive={false} />
    </ReactFlow>
  );
}
