import { Chart, type Point } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";

import css from "./load.module.css";
import { between, type Counted, type Load, read } from "./metrics.js";

const EVERY_MS = 2_000;
/** What is kept, and what is shown at least: few points are no line. */
const KEPT_MS = 10 * 60_000;
const SHOWN_MS = 60_000;

/** What was seen since the console was opened: it stays while one looks at other pages. */
let seen: { last: Counted | undefined; loads: Load[] } = { last: undefined, loads: [] };

/** Rate, errors and latency of the last minutes; nothing for whoever may not see them. */
export function LoadCharts() {
  const { data } = useQuery({
    queryKey: ["load"],
    queryFn: look,
    refetchInterval: EVERY_MS,
    staleTime: 0,
  });
  if (data === undefined || data.length === 0) return null;
  const span = Math.max(SHOWN_MS, (data.at(-1)?.time ?? 0) - (data[0]?.time ?? 0));
  const line = (name: Exclude<keyof Load, "time">): Point[] =>
    data.map((load) => ({ time: load.time, value: load[name] }));
  const rate = (value: number) => `${round(value)}/s`;
  const time = (value: number) => `${round(value)} ms`;
  return (
    <section className={css.charts} aria-label="Load">
      <Chart title="calls" lines={[line("calls")]} span={span} format={rate} />
      <Chart title="errors" lines={[line("errors")]} span={span} format={rate} />
      <Chart
        title="latency, p50 · p99"
        lines={[line("p50"), line("p99")]}
        span={span}
        format={time}
      />
    </section>
  );
}

async function look(): Promise<Load[]> {
  const answer = await fetch("/metrics", { headers: { "stoa-credential": "cookie" } });
  if (!answer.ok) return [];
  const now = read(await answer.text(), Date.now());
  const recent = seen.loads.filter(({ time }) => time > now.time - KEPT_MS);
  seen = { last: now, loads: [...recent, between(seen.last, now)] };
  return seen.loads;
}

function round(value: number): string {
  return value.toLocaleString(undefined, { maximumFractionDigits: value < 10 ? 1 : 0 });
}
