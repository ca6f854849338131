import { ChevronDown, ChevronRight } from "lucide-react";
import { type CSSProperties, type ReactNode, useState } from "react";

import css from "./waterfall.module.css";

/** Something that took time, as a part of something else. */
export interface Step {
  id: string;
  label: ReactNode;
  /** What a reader may want to know of it, where there is no room for it. */
  title?: string;
  /** How many steps it is a part of. */
  depth: number;
  /** When it began, and how long it took; none for what has not begun. */
  start: number | undefined;
  took: number;
  /** What is said at its bar. */
  note: string;
  /** Whose it is, as one of six colours. */
  colour?: number | undefined;
  /** `wait` for what did nothing but wait, `mark` for an instant. */
  kind?: "work" | "wait" | "mark";
  /** Steps that are shown once somebody asks for them. */
  folded?: Step[];
}

interface Props {
  label: string;
  steps: Step[];
  /** When the first part ends: what comes after it has a scale of its own. */
  break: number;
  /** When all of it ends; as soon as the first part, where nothing comes after. */
  end: number;
  /** What ended with the first part. */
  breakLabel: string;
  /** A time in words. */
  format: (time: number) => string;
}

/** The share of the width that the first part has, where something comes after it. */
const FIRST = 0.7;

/** Where a time stands, as a share of the width. */
export function place(time: number, middle: number, end: number): number {
  if (middle <= 0) return 0;
  const first = end > middle ? FIRST : 1;
  if (time <= middle || end <= middle) return Math.min(Math.max(time / middle, 0), 1) * first;
  return first + Math.min((time - middle) / (end - middle), 1) * (1 - first);
}

/** What took how long, and as a part of what: each on a line of its own, over one axis. */
export function Waterfall({ label, steps, break: middle, end, breakLabel, format }: Props) {
  const hasMore = end > middle;
  const at = (time: number) => place(time, middle, end);
  const ticks = [0, 0.25, 0.5].map((share) => share * middle);
  return (
    <div className={css.waterfall}>
      <div className={css.axis} aria-hidden="true">
        <div className={css.scale}>
          {ticks.map((tick) => (
            <span key={tick} style={{ insetInlineStart: percent(at(tick)) }}>
              {format(tick)}
            </span>
          ))}
          {hasMore ? (
            <span className={css.broken} style={{ insetInlineEnd: percent(1 - at(middle)) }}>
              {format(middle)} {breakLabel}
            </span>
          ) : null}
          <span className={css.last}>
            {hasMore ? format(end) : `${format(middle)} ${breakLabel}`}
          </span>
        </div>
      </div>
      <ol aria-label={label} style={{ "--break": at(middle) } as CSSProperties}>
        {steps.map((step) => (
          <Line key={step.id} step={step} at={at} />
        ))}
      </ol>
    </div>
  );
}

function Line({ step, at }: { step: Step; at: (time: number) => number }) {
  const [isOpen, open] = useState(false);
  const { label, title, depth, start, took, note, colour, kind = "work", folded = [] } = step;
  const from = start === undefined ? undefined : at(start);
  const to = start === undefined ? undefined : at(start + took);
  const side = sideOf(from ?? 0, to ?? 0);
  const style = {
    "--depth": depth,
    ...(colour === undefined ? {} : { "--own": `var(--hue-${colour % 6})` }),
  } as CSSProperties;
  return (
    <>
      <li className={css.line} style={style}>
        <span className={css.label} title={title}>
          {folded.length > 0 ? (
            <button type="button" aria-expanded={isOpen} onClick={() => open(!isOpen)}>
              {isOpen ? (
                <ChevronDown size={14} aria-hidden />
              ) : (
                <ChevronRight size={14} aria-hidden />
              )}
              {label}
            </button>
          ) : (
            label
          )}
        </span>
        <span className={css.track}>
          {from !== undefined && to !== undefined ? (
            <span
              className={`${css.bar} ${css[kind]}`}
              style={{
                insetInlineStart: percent(from),
                ...(kind === "mark" ? {} : { width: percent(to - from) }),
              }}
            />
          ) : null}
          <span className={`${css.note} ${css[side] ?? ""}`} style={beside(side, from, to)}>
            {note}
          </span>
        </span>
      </li>
      {isOpen ? folded.map((inner) => <Line key={inner.id} step={inner} at={at} />) : null}
    </>
  );
}

type Side = "after" | "before" | "inside";

/** Where there is room for what is said of a bar. */
function sideOf(from: number, to: number): Side {
  if (to <= 0.82) return "after";
  return from >= 0.18 ? "before" : "inside";
}

function beside(side: Side, from = 0, to = 0): CSSProperties {
  if (side === "after") return { insetInlineStart: percent(to) };
  return { insetInlineEnd: percent(1 - (side === "before" ? from : to)) };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}
