import encodeQR from "qr";

import css from "./account.module.css";

/** How wide the empty margin is that readers want around a code, in dots. */
const MARGIN = 2;

/** A text as a QR code, drawn here: nobody else learns what it says. */
export function Qr({ text, label }: { text: string; label: string }) {
  const dots = encodeQR(text, "raw", { ecc: "medium", border: MARGIN });
  return (
    <svg
      className={css.qr}
      viewBox={`0 0 ${dots.length} ${dots.length}`}
      role="img"
      aria-label={label}
      shapeRendering="crispEdges"
    >
      <path d={drawn(dots)} />
    </svg>
  );
}

/** Dots as a path: a bar for each run of them in a line. */
export function drawn(dots: readonly (readonly boolean[])[]): string {
  const bars = dots.flatMap((line, y) => {
    const starts = line.flatMap((isOn, x) => (isOn && line[x - 1] !== true ? [x] : []));
    return starts.map((x) => {
      const end = line.indexOf(false, x);
      return `M${x} ${y}h${(end < 0 ? line.length : end) - x}v1H${x}z`;
    });
  });
  return bars.join("");
}
