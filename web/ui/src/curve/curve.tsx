import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import Plot from "uplot";

import css from "./curve.module.css";
import { dataOf, type Step } from "./data.js";

interface Props {
  label: string;
  /** The oldest first. */
  steps: readonly Step[];
  /** A value in words, with its unit. */
  format: (value: number) => string;
}

/**
 * How something went over time that stays as it is until it changes: a balance, a count. Its value under
 * the pointer is shown; what is dragged over is looked at more closely, and a double click shows all.
 */
export default function Curve({ label, steps, format }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = () => {
      const plot = new Plot(optionsOf(element, label, format), dataOf(steps), element);
      const fit = new ResizeObserver(() => plot.setSize(sizeOf(element)));
      fit.observe(element);
      return () => {
        fit.disconnect();
        plot.destroy();
      };
    };
    let remove = draw();
    // A canvas does not know of colours that change.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const again = () => {
      remove();
      remove = draw();
    };
    scheme.addEventListener("change", again);
    return () => {
      scheme.removeEventListener("change", again);
      remove();
    };
  }, [label, steps, format]);
  const last = steps.at(-1);
  const said = last === undefined ? "nothing" : format(last.value);
  return (
    <div
      ref={place}
      className={css.curve}
      role="img"
      aria-label={`${label} over time, now ${said}`}
    />
  );
}

/** What is left of the element above the line that names the values. */
function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: Math.max(clientHeight - 28, 40) };
}

function optionsOf(element: HTMLElement, label: string, format: Props["format"]): Plot.Options {
  const stepped = Plot.paths.stepped?.({ align: 1 });
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name);
  const axis = {
    stroke: colour("--curve-ink"),
    grid: { stroke: colour("--curve-line"), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  return {
    ...sizeOf(element),
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, min, max) => [Math.min(0, min), max === 0 && min === 0 ? 1 : max] } },
    axes: [axis, { ...axis, size: 96, values: (_, values) => values.map(format) }],
    series: [
      {
        label: "time",
        value: (_, time) => (time === null ? "–" : new Date(time * 1000).toLocaleString()),
      },
      {
        label,
        stroke: colour("--curve-accent"),
        width: 1.5,
        ...(stepped ? { paths: stepped } : {}),
        points: { show: false },
        value: (_, value) => (value === null ? "–" : format(value)),
      },
    ],
  };
}
