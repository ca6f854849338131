import css from "./chart.module.css";

/** A value at a time; none where nothing was measured, which is shown as a gap. */
export interface Point {
  time: number;
  value: number | undefined;
}

interface Props {
  title: string;
  /** Up to two, of which the first is the one to look at. */
  lines: Point[][];
  /** The span that is shown, in milliseconds; it ends with the last point. */
  span: number;
  /** A value in words, with its unit. */
  format: (value: number) => string;
}

const WIDTH = 300;
const HEIGHT = 72;

/** How something went over time, from nothing up, with what it is now in words. */
export function Chart({ title, lines, span, format }: Props) {
  const points = lines.flat();
  const end = Math.max(...points.map(({ time }) => time));
  const most = Math.max(...points.map(({ value }) => value ?? 0), Number.MIN_VALUE);
  const now = lines.map((line) => line.findLast(({ value }) => value !== undefined)?.value);
  const said = now.map((value) => (value === undefined ? "–" : format(value))).join(" · ");
  const x = (time: number) => WIDTH - ((end - time) / span) * WIDTH;
  const y = (value: number) => HEIGHT - (value / most) * (HEIGHT - 4);
  return (
    <figure className={css.chart}>
      <figcaption className={css.head}>
        <span className={css.title}>{title}</span>
        <span className={css.now}>{said}</span>
      </figcaption>
      <svg
        className={css.plot}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${said}`}
      >
        <line className={css.grid} x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        <line className={css.grid} x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
        {lines.map((line, place) => (
          <path
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its place
            key={place}
            className={`${css.line} ${place > 0 ? css.second : ""}`}
            d={path(line, x, y)}
          />
        ))}
      </svg>
    </figure>
  );
}

/** A line through points, broken where there is none. */
export function path(
  line: Point[],
  x: (time: number) => number,
  y: (value: number) => number,
): string {
  let isBroken = true;
  return line
    .map(({ time, value }) => {
      if (value === undefined) {
        isBroken = true;
        return "";
      }
      const step = `${isBroken ? "M" : "L"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      isBroken = false;
      return step;
    })
    .join("");
}
