import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type GetLoadResponse, SystemService } from "@stoa/sdk/system";
import { Waiting } from "@stoa/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";

import { methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { stoa } from "../node.js";
import { say } from "../strings.js";
import css from "./load.module.css";
import { bytes, digits, grid, latency, line, mean, milliseconds, type Of, rate } from "./points.js";
import { bounds, isMoving, type Span } from "./span.js";

/** Charts come when they are looked at. */
const Plot = lazy(() => import("@stoa/ui/plot"));

/** What the node that answers did in a span, for whoever may know. */
export function useLoad(span: Span) {
  const { contracts, may } = useKnown();
  const method = methodOf(contracts, "system", "GetLoad");
  const isAllowed = method !== undefined && may(method);
  const query = useQuery({
    queryKey: ["load", span],
    queryFn: async ({ signal }) => {
      const [from, to] = bounds(span, Date.now() / 1000);
      const time = (seconds: number) => timestampFromDate(new Date(seconds * 1000));
      const request = { startTime: time(from), endTime: time(to), method: span.method ?? "" };
      const load = await stoa.client(SystemService).getLoad(request, { signal });
      return { load, from, to };
    },
    refetchInterval: isMoving(span) ? 10_000 : false,
    placeholderData: keepPreviousData,
    enabled: isAllowed,
  });
  return { ...query, isAllowed };
}

/** What one chart shows. */
interface Chart {
  title: string;
  lines: [name: string, of: Of][];
  format: (value: number) => string;
  isLog?: boolean;
  isBinary?: boolean;
  /** Whether it is left out where it never says anything but nothing. */
  hides?: boolean;
}

interface Props {
  load: GetLoadResponse;
  from: number;
  to: number;
  charts: readonly Chart[];
  /** Asked for when somebody drags over a part of a chart. */
  onZoom: (from: number, to: number) => void;
}

/** The points of a span, drawn over one axis. */
export function Charts({ load, from, to, charts, onZoom }: Props) {
  const step = Number(load.stepSeconds);
  const { times, at } = useMemo(() => grid(load.points, step), [load.points, step]);
  const drawn = useMemo(
    () =>
      charts.map(({ lines, ...chart }) => ({
        ...chart,
        lines: lines.map(([name, of]) => line(name, at, step, of)),
      })),
    [charts, at, step],
  );
  const shown = drawn.filter(({ hides, lines }) => !hides || isMeasured(lines));
  return (
    <div className={css.charts} data-step={step}>
      <Suspense fallback={<Waiting lines={8} />}>
        {shown.map(({ title, lines, format, isLog = false, isBinary = false }) => (
          <Plot
            key={title}
            title={title}
            times={times}
            lines={lines}
            from={from}
            to={to}
            format={format}
            isLog={isLog}
            isBinary={isBinary}
            group="load"
            onZoom={onZoom}
          />
        ))}
      </Suspense>
    </div>
  );
}

function isMeasured(lines: readonly { values: (number | null)[] }[]): boolean {
  return lines.some(({ values }) => values.some((value) => value !== null && value > 0));
}

const perSecond = (value: number) => say.load.perSecond(digits(value));

/** What one wants to know first, and then the rest. */
export const CHARTS: readonly Chart[] = [
  { title: say.load.calls, lines: [["", rate(({ calls }) => calls)]], format: perSecond },
  { title: say.load.errors, lines: [["", rate(({ errors }) => errors)]], format: perSecond },
  {
    title: say.load.latency,
    lines: [
      ["p50", latency(({ p50Us }) => p50Us)],
      ["p90", latency(({ p90Us }) => p90Us)],
      ["p99", latency(({ p99Us }) => p99Us)],
    ],
    format: milliseconds,
    isLog: true,
  },
  { title: say.load.commits, lines: [["", rate(({ commits }) => commits)]], format: perSecond },
  { title: say.load.queries, lines: [["", rate(({ reads }) => reads)]], format: perSecond },
  {
    title: say.load.transaction,
    lines: [["", mean(({ batchUs }) => batchUs)]],
    format: (us) => milliseconds(us / 1000),
  },
  {
    title: say.load.batch,
    lines: [["", mean(({ commits }) => commits)]],
    format: digits,
  },
  { title: say.load.queue, lines: [["", ({ queue }) => Number(queue)]], format: digits },
  {
    title: say.load.conflicts,
    lines: [["", rate(({ retries }) => retries)]],
    format: perSecond,
    hides: true,
  },
  {
    title: say.load.log,
    lines: [["", ({ walBytes }) => Number(walBytes)]],
    format: bytes,
    isBinary: true,
    hides: true,
  },
  {
    title: say.load.memory,
    lines: [["", ({ memoryBytes }) => Number(memoryBytes)]],
    format: bytes,
    isBinary: true,
    hides: true,
  },
  {
    title: say.load.connections,
    lines: [["", ({ connections }) => Number(connections)]],
    format: digits,
  },
];

/** Rate, errors and latency. */
export const FIRST = CHARTS.slice(0, 3);
