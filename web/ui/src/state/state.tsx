import type { ReactNode } from "react";

import css from "./state.module.css";

export type Mood = "plain" | "good" | "warn" | "bad";

/** A state: a word, and a shape that says the same. */
export function State({ mood = "plain", children }: { mood?: Mood; children: ReactNode }) {
  return (
    <span className={`${css.state} ${mood === "plain" ? "" : css[mood]}`}>
      <span className={css.dot} aria-hidden="true" />
      {children}
    </span>
  );
}

/** A quiet word beside something. */
export function Badge({ children, title }: { children: ReactNode; title?: string }) {
  return (
    <span className={css.badge} title={title}>
      {children}
    </span>
  );
}
