// SPDX-License-Identifier: Apache-2.0
import { useEffect, useSyncExternalStore } from "react";
import { Navigate, Route, Routes } from "react-router";
import { queryClient, tokens } from "./api/queries";
import { EmptyState } from "./components/states";
import { ApprovalsPage } from "./pages/approvals";
import { CoveragePage } from "./pages/coverage";
import { SpendPage } from "./pages/spend";
import { EventsPage } from "./pages/events";
import { InventoryPage } from "./pages/inventory";
import { LoginPage } from "./pages/login";
import { McpPage } from "./pages/mcp";
import { OverviewPage } from "./pages/overview";
import { RedTeamPage } from "./pages/redteam";
import { RegistryPage } from "./pages/registry";
import { PoliciesPage } from "./pages/policies";
import { PolicyPage } from "./pages/policy";
import { SessionPage } from "./pages/session";
import { SessionsPage } from "./pages/sessions";
import { StatusPage } from "./pages/status";
import { TopologyPage } from "./pages/topology";
import { Shell } from "./shell";

export function App() {
  const { token, reason } = useSyncExternalStore(tokens.subscribe, tokens.snapshot);
  useEffect(() => {
    // What one operator may see must not be shown to the next.
    if (!token) queryClient.clear();
  }, [token]);
  if (!token) return <LoginPage reason={reason} />;
  return (
    <Shell>
      <Routes>
        <Route path="/" element={<OverviewPage />} />
        <Route path="/inventory" element={<Navigate to="/inventory/assets" replace />} />
        <Route path="/inventory/:tab" element={<InventoryPage />} />
        <Route path="/mcp" element={<McpPage />} />
        <Route path="/mcp/:serverId" element={<McpPage />} />
        <Route path="/topology" element={<TopologyPage />} />
        <Route path="/coverage" element={<CoveragePage />} />
        <Route path="/spend" element={<SpendPage />} />
        <Route path="/events" element={<EventsPage />} />
        <Route path="/approvals" element={<ApprovalsPage />} />
        <Route path="/approvals/:approvalId" element={<ApprovalsPage />} />
        <Route path="/sessions" element={<SessionsPage />} />
        <Route path="/sessions/:sessionId" element={<SessionPage />} />
        <Route path="/redteam" element={<RedTeamPage />} />
        <Route path="/registry" element={<Navigate to="/registry/tools" replace />} />
        <Route path="/registry/:tab" element={<RegistryPage />} />
        <Route path="/registry/:tab/:id" element={<RegistryPage />} />
        <Route path="/policies" element={<PoliciesPage />} />
        <Route path="/policies/:policyId" element={<PolicyPage />} />
        <Route path="/status" element={<StatusPage />} />
        <Route path="*" element={<EmptyState title="There is no such page">Choose one from the menu.</EmptyState>} />
      </Routes>
    </Shell>
  );
}
