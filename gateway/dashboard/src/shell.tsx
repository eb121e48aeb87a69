// SPDX-License-Identifier: Apache-2.0
import { ActionIcon, AppShell, Box, Burger, Group, NavLink, Text, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "react-router";
import { healthOf } from "./health";
import { statusQuery, tokens } from "./api/queries";
import { Icon, type IconName } from "./components/icons";

const PAGES: readonly { readonly path: string; readonly label: string; readonly icon: IconName }[] = [
  { path: "/", label: "Overview", icon: "overview" },
  { path: "/inventory", label: "Inventory", icon: "inventory" },
  { path: "/registry", label: "Registry", icon: "registry" },
  { path: "/topology", label: "Topology", icon: "topology" },
  { path: "/mcp", label: "MCP servers", icon: "mcp" },
  { path: "/coverage", label: "Coverage", icon: "coverage" },
  { path: "/events", label: "Live events", icon: "events" },
  { path: "/approvals", label: "Approvals", icon: "approvals" },
  { path: "/sessions", label: "Sessions", icon: "sessions" },
  { path: "/spend", label: "Spend", icon: "spend" },
  { path: "/redteam", label: "Red team", icon: "detection" },
  { path: "/policies", label: "Policies", icon: "policy" },
  { path: "/status", label: "Status", icon: "status" },
];

// The collector's health in the header, on every page.
function Health() {
  const { data, error } = useQuery(statusQuery());
  const [text, tone] = error ? ["Collector unreachable", "bad"] : data ? healthOf(data) : ["Connecting", "idle"];
  return (
    <Link to="/status" className="health" role="status" aria-label={`Health: ${text}`}>
      <span className={`dot dot-${tone}`} aria-hidden="true" />
      <Text span size="sm" visibleFrom="xs">{text}</Text>
    </Link>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const main = useRef<HTMLDivElement>(null);
  const first = useRef(true);
  useEffect(() => {
    close();
    // After a change of page, keyboard and screen reader go on from its top.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    window.scrollTo(0, 0);
  }, [pathname, close]);

  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !opened } }} padding="lg">
      <AppShell.Header>
        <a className="skip-link" href="#main" onClick={(click) => (click.preventDefault(), main.current?.focus())}>Skip to content</a>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={opened ? "Close menu" : "Open menu"} />
            <img src="/favicon.svg" alt="" width={24} height={24} />
            <Text fw={700} size="lg" style={{ letterSpacing: "0.02em" }}>AISPM</Text>
            <Text c="dimmed" size="sm" visibleFrom="md">AI security posture</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Health />
            <Tooltip label="Log out">
              <ActionIcon variant="subtle" color="gray" aria-label="Log out" onClick={() => tokens.signOut("signed-out")}>
                <Icon name="logout" />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label="Pages">
        {PAGES.map(({ path, label, icon }) => {
          const active = path === "/" ? pathname === "/" : pathname.startsWith(path);
          return (
            <NavLink key={path} component={Link} to={path} label={label} leftSection={<Icon name={icon} />} active={active}
              aria-current={active ? "page" : undefined} className="nav-link" onClick={close} />
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main>
        <Box ref={main} id="main" tabIndex={-1} maw={1480} mx="auto" className="main-content">{children}</Box>
      </AppShell.Main>
    </AppShell>
  );
}
