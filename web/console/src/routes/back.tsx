import { useEffect } from "react";

import { backTo } from "./own.js";

/** Whoever had to sign in goes on where they were sent from: a page of the node, and nothing else. */
export function Back({ to }: { to: string }) {
  useEffect(() => location.replace(backTo(to, location.origin)), [to]);
  return null;
}
