import { type KeyboardEvent, type PointerEvent, useRef } from "react";

import { say } from "../strings.js";
import css from "./table.module.css";

/** How wide columns are, in pixels, by their ids. */
export type Widths = Readonly<Record<string, number>>;

/** A column stays wide enough to be taken hold of again. */
const MIN = 48;
const MAX = 1200;
/** What an arrow adds or takes. */
const STEP = 16;

interface Props {
  id: string;
  /** How wide the column is. */
  width: number;
  /** Told how wide all columns are to be; nothing, to let them be as they were made. */
  onWidths: (widths: Widths | undefined) => void;
}

/** The edge of a column: drawn, or moved by arrows, to make it wider or narrower. */
export function Grip({ id, width, onWidths }: Props) {
  const drag = useRef<{ x: number; widths: Widths } | undefined>(undefined);
  const resize = (widths: Widths, by: number) => {
    const next = Math.round(Math.min(MAX, Math.max(MIN, (widths[id] ?? width) + by)));
    onWidths({ ...widths, [id]: next });
  };
  const take = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { x: event.clientX, widths: measured(event.currentTarget) };
  };
  const move = (event: PointerEvent<HTMLElement>) => {
    if (drag.current === undefined) return;
    const { x, widths } = drag.current;
    resize(widths, (event.clientX - x) * forward(event.currentTarget));
  };
  const steer = (event: KeyboardEvent<HTMLElement>) => {
    const ways: Record<string, number> = { ArrowRight: STEP, ArrowLeft: -STEP };
    const way = ways[event.key];
    if (way !== undefined)
      resize(measured(event.currentTarget), way * forward(event.currentTarget));
    else if (event.key === "Home") onWidths(undefined);
    else return;
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a rule cannot be moved
    <div
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={say.width(id)}
      aria-valuenow={width}
      aria-valuemin={MIN}
      aria-valuemax={MAX}
      className={css.grip}
      onPointerDown={take}
      onPointerMove={move}
      onPointerUp={() => {
        drag.current = undefined;
      }}
      onDoubleClick={() => onWidths(undefined)}
      onKeyDown={steer}
    />
  );
}

/** How wide the columns of a table are drawn: what is left over is shared, until somebody decides. */
function measured(grip: HTMLElement): Widths {
  const heads = grip.closest("tr")?.querySelectorAll<HTMLElement>("th[data-column]") ?? [];
  return Object.fromEntries([...heads].map((head) => [head.dataset.column, head.offsetWidth]));
}

/** Which way a column grows, as its reader reads. */
function forward(element: HTMLElement): 1 | -1 {
  return getComputedStyle(element).direction === "rtl" ? -1 : 1;
}
