// SPDX-License-Identifier: Apache-2.0
import "@mantine/core/styles.css";
import "./app.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { HashRouter } from "react-router";
import { queryClient, tokens } from "./api/queries";
import { App } from "./app";
import { theme } from "./theme";

tokens.acceptFragment(window.location, window.history);
// A printed link may be opened in a tab that already shows the dashboard: only the fragment changes then.
window.addEventListener("hashchange", () => tokens.acceptFragment(window.location, window.history));

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <HashRouter>
          <App />
        </HashRouter>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
