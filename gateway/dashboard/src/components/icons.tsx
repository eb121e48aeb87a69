// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";

const PATHS = {
  overview: "M3 3h8v10H3zM13 3h8v6h-8zM13 11h8v10h-8zM3 15h8v6H3z",
  inventory: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
  registry: "M5 4h11l3 3v13H5zM8.500 9h7M8.500 13h4M14.500 16.500l1.500 1.500 3-3.500",
  topology: "M3 9h6v6H3zM15 3h6v6h-6zM15 15h6v6h-6zM9 12h3V6h3M12 12v6h3",
  mcp: "M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3",
  coverage: "M2 12s3.500-6 10-6 10 6 10 6-3.500 6-10 6-10-6-10-6zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  events: "M3 12h4l3-8 4 16 3-8h4",
  sessions: "M4 5h16v14H4zM7.500 9l3 3-3 3M13 15h4",
  approvals: "M9 4h6v3H9zM9 5H5v16h14V5h-4M8.500 14l2.500 2.500 4.500-5",
  status: "M12 3l8 3v6c0 5-3.400 8-8 9-4.600-1-8-4-8-9V6zM8.500 12l2.500 2.500 4.500-5",
  policy: "M6 3h9l4 4v14H6zM15 3v4h4M9.500 13l2 2 3.500-4",
  logout: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  refresh: "M20 5v5h-5M4 19v-5h5M5.500 9a7 7 0 0 1 12-2.500L20 10M4 14l2.500 3.500A7 7 0 0 0 18.500 15",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L21 21",
  warning: "M12 4L2.500 20h19zM12 10v5M12 17.500h.01",
  empty: "M4 13l3-8h10l3 8v6H4zM4 13h5l1 3h4l1-3h5",
  prompt: "M4 4h16v12H10l-4 4v-4H4z",
  reply: "M4 4h16v12h-2v4l-4-4H4zM8 8.500h8M8 11.500h5",
  shield: "M12 3l8 3v6c0 5-3.400 8-8 9-4.600-1-8-4-8-9V6z",
  detection: "M12 3v3M12 18v3M3 12h3M18 12h3M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
  process: "M5 5h14v14H5zM9 9h6v6H9zM9 2v3M15 2v3M9 19v3M15 19v3M2 9h3M2 15h3M19 9h3M19 15h3",
  network: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  blocked: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM5.700 5.700l12.600 12.600",
  log: "M5 4h14v16H5zM8.500 8.500h7M8.500 12h7M8.500 15.500h4",
  spend: "M12 3v18M16.500 7.500c-1-1.300-2.600-2-4.500-2-2.500 0-4.500 1.200-4.500 3.200 0 4.600 9.500 2.200 9.500 6.900 0 2-2.200 3.400-5 3.400-2.200 0-4-.8-5-2.300",
  stop: "M6 6h12v12H6z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.75} strokeLinecap="round"
      strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
