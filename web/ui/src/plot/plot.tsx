import { useEffect, useLayoutEffect, useRef, useState } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import css from "./plot.module.css";
import { apart, extent, type Line } from "./scale.js";

interface Props {
  title: string;
  /** Seconds since 1970, one for each value of each line. */
  times: number[];
  /** Up to four, of which the first is the one to look at. */
  lines: Line[];
  /** What is shown, in seconds since 1970, also where nothing was measured. */
  from: number;
  to: number;
  /** A value in words, with its unit; short where there is little room. */
  format: (value: number) => string;
  /** Whether twice as much is as far everywhere. */
  isLog?: boolean;
  /** Whether what is counted is counted in powers of two. */
  isBinary?: boolean;
  /** Whether it stays what it is until it changes. */
  isStepped?: boolean;
  /** In pixels. */
  height?: number;
  /** Plots of the same name point at the same time. */
  group: string;
  /** Asked for when somebody drags over a span. */
  onZoom: (from: number, to: number) => void;
}

const HEIGHT = 128;
/** The room that values have beside a plot at least, and what a letter of them takes. */
const AXIS = 52;
const LETTER = 6;
const FONT = "11px Inter, system-ui, sans-serif";
/** Lines in the order in which they matter. */
const COLOURS = ["--accent", "--ink-3", "--warn", "--good"];
const LABEL = 13;
/** The width of a time. */
const CLOCK = 56;
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** How something went over a span of time. */
export default function Plot(props: Props) {
  const { title, times, lines, format } = props;
  const host = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | undefined>();
  const scheme = useScheme();
  const latest = useRef(props);
  latest.current = props;
  const plot = useRef<UPlot>(undefined);
  const shape = lines.map(({ name }) => name).join(" ");
  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only where it looks otherwise
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    const made = new UPlot(options(element, latest, setAt), data(latest.current), element);
    plot.current = made;
    const sized = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [scheme, shape, props.isLog, props.group]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: all that is drawn
  useEffect(
    () => plot.current?.setData(data(latest.current)),
    [times, lines, props.from, props.to],
  );
  const said = lines.map(({ name, values }) => {
    const value = at === undefined ? values.findLast((value) => value !== null) : values[at];
    return { name, text: value === null || value === undefined ? "–" : format(value) };
  });
  const label = said.map(({ name, text }) => `${name} ${text}`.trim()).join(", ");
  return (
    <figure className={css.plot}>
      <figcaption className={css.head}>
        <span className={css.title}>{title}</span>
        <span className={css.said}>
          {said.map(({ name, text }) => (
            <span key={name}>
              {lines.length > 1 ? <span className={css.name}>{name}</span> : null}
              {text}
            </span>
          ))}
        </span>
      </figcaption>
      <div
        ref={host}
        className={css.canvas}
        style={{ height: props.height ?? HEIGHT }}
        role="img"
        aria-label={`${title}: ${label}`}
      />
    </figure>
  );
}

type Latest = { readonly current: Props };

function data({ times, lines }: Props): UPlot.AlignedData {
  return [times, ...lines.map(({ values }) => values)];
}

function options(
  element: HTMLElement,
  latest: Latest,
  setAt: (at: number | undefined) => void,
): UPlot.Options {
  const colour = (name: string) => resolved(element, name);
  const { lines, isLog = false, isBinary = false, isStepped = false, group } = latest.current;
  const strokes = lines.map((_, place) => colour(COLOURS[place] ?? "--ink-3"));
  const axis = { stroke: colour("--ink-3"), font: FONT, ticks: { show: false } };
  const grid = { stroke: colour("--line"), width: 1 };
  const stepped = UPlot.paths.stepped?.({ align: 1 });
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [8, lines.length > 1 ? 34 : 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 5 },
      sync: { key: group, setSeries: false, scales: ["x", null] },
      drag: { x: true, y: false, setScale: false },
    },
    scales: {
      x: { range: () => [latest.current.from, latest.current.to] },
      y: {
        distr: isLog ? 3 : 1,
        range: () => extent(latest.current.lines, isLog),
      },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 64, values: clock },
      {
        ...axis,
        grid,
        // Money takes more room than a count; plots of one page that count begin at the same place.
        size: (_, values) =>
          Math.max(AXIS, 10 + LETTER * Math.max(0, ...(values ?? []).map(({ length }) => length))),
        space: 26,
        ...(isBinary ? { incrs: POWERS } : {}),
        // Where there is little room, every other one has no label.
        values: (_, splits) =>
          splits.map((split) => (split === null ? "" : latest.current.format(split))),
        ...(isLog ? { splits: (_, __, least, most) => powers(least, most) } : {}),
      },
    ],
    series: [
      {},
      ...strokes.map((stroke) => ({
        stroke,
        width: 1.5,
        spanGaps: false,
        ...(isStepped && stepped ? { paths: stepped } : {}),
        points: { show: alone, size: 4, fill: stroke },
      })),
    ],
    hooks: {
      setCursor: [({ cursor: { idx } }) => setAt(idx ?? undefined)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          latest.current.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      draw: [(plot) => label(plot, latest.current.lines, strokes)],
    },
  };
}

/** Writes the names of lines at their ends, where there are several. */
function label({ ctx, bbox, valToPos }: UPlot, lines: readonly Line[], strokes: string[]) {
  if (lines.length < 2) return;
  const ratio = devicePixelRatio;
  const ends = lines.map(({ values }) => values.findLast((value) => value !== null));
  const known = ends.flatMap((value, place) => (typeof value === "number" ? [place] : []));
  const wanted = known.map((place) => valToPos(ends[place] as number, "y", true));
  const found = apart(wanted, LABEL * ratio, bbox.top + bbox.height);
  ctx.save();
  ctx.font = `${11 * ratio}px Inter, system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  known.forEach((place, nth) => {
    ctx.fillStyle = strokes[place] ?? "";
    ctx.fillText(lines[place]?.name ?? "", bbox.left + bbox.width + 6 * ratio, found[nth] ?? 0);
  });
  ctx.restore();
}

/** A point is drawn where it has no neighbour to be joined with. */
function alone(plot: UPlot, series: number, first: number, last: number): boolean {
  const values = plot.data[series] ?? [];
  const isThere = (place: number) => typeof values[place] === "number";
  for (let place = first; place <= last; place++) {
    if (isThere(place) && !isThere(place - 1) && !isThere(place + 1)) return true;
  }
  return false;
}

/** The powers of ten of a span. */
function powers(least: number, most: number): number[] {
  const first = Math.round(Math.log10(least));
  const count = Math.round(Math.log10(most)) - first + 1;
  return Array.from({ length: count }, (_, power) => 10 ** (first + power));
}

const minutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** Times in the reader's zone; midnight is the day that begins. One that would be cut off is left out. */
function clock(plot: UPlot, splits: number[]): string[] {
  const start = plot.bbox.left / devicePixelRatio;
  return splits.map((split) => {
    if (start + plot.valToPos(split, "x") + CLOCK / 2 > plot.width) return "";
    const time = new Date(split * 1000);
    const isMidnight = time.getHours() === 0 && time.getMinutes() === 0;
    return isMidnight ? days.format(time) : minutes.format(time);
  });
}

/** A colour of the tokens, as a canvas takes it. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Whether it is light or dark: a canvas does not change its colours by itself. */
function useScheme(): boolean {
  const query = "(prefers-color-scheme: dark)";
  const [isDark, setDark] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const listen = () => setDark(list.matches);
    list.addEventListener("change", listen);
    return () => list.removeEventListener("change", listen);
  }, []);
  return isDark;
}
