import type { ReactNode } from "react";

import { Button } from "../button/button.js";
import { say } from "../strings.js";
import css from "./notice.module.css";

/** What would be here, and how it comes to be. */
export function Empty({ children }: { children: ReactNode }) {
  return <div className={css.empty}>{children}</div>;
}

interface Failure {
  /** What happened. */
  title: string;
  /** What to do. */
  next?: string | undefined;
  /** What programs call it. */
  reason?: string | undefined;
  retry?: (() => void) | undefined;
}

/** What happened, what to do, and a way to do it. */
export function Failed({ title, next, reason, retry }: Failure) {
  return (
    <div className={css.error} role="alert">
      <p className={css.title}>{title}</p>
      {next ? <p className={css.next}>{next}</p> : null}
      {reason || retry ? (
        <div className={css.foot}>
          {reason ? <code>{reason}</code> : null}
          {retry ? (
            <Button small onClick={retry}>
              {say.retry}
            </Button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

/** The shape of what is on its way; nothing for the first moment. */
export function Waiting({ lines = 4 }: { lines?: number }) {
  const widths = ["72%", "54%", "63%", "41%", "68%", "49%"];
  const bones = Array.from({ length: lines }, (_, line) => widths[line % widths.length]);
  return (
    <div className={css.bones} role="status" aria-label={say.loading}>
      {bones.map((width, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no names, and stay where they are
        <div key={line} className={css.bone} style={{ width }} />
      ))}
    </div>
  );
}
