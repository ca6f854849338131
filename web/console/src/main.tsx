import "@stoa/ui/base.css";

import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { isSignedOut } from "./node.js";
import { router } from "./router.js";

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // A session that is over: whoever it was signs in again where they are.
      if (isSignedOut(error) && query.queryKey[0] !== "known") {
        void queries.resetQueries({ queryKey: ["known"] });
      }
    },
  }),
  // The SDK tries again by itself where that is worth it.
  defaultOptions: {
    // Also without a network: the node may be on this machine, and a page says what is not reached.
    queries: { retry: false, staleTime: 5_000, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
