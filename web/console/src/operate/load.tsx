import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type GetLoadResponse, SystemService } from "@stoa/sdk/system";
import { Badge, Button, Empty, Failed, links, Waiting } from "@stoa/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";

import { methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import css from "./load.module.css";
import { MethodTable, nameOf } from "./methods.js";
import { bytes, digits, grid, latency, line, milliseconds, type Of, rate } from "./points.js";
import { bounds, isMoving, LASTS, type Span, zoomed } from "./span.js";

/** Charts come when they are looked at. */
const Plot = lazy(() => import("@stoa/ui/plot"));

interface Props {
  span: Span;
  onSpan: (span: Span) => void;
}

/** What the node did of late. */
export function Load({ span, onSpan }: Props) {
  const { contracts, may } = useKnown();
  const method = methodOf(contracts, "system", "GetLoad");
  const isAllowed = method !== undefined && may(method);
  const { data, error, refetch } = useQuery({
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
  if (!isAllowed) {
    return (
      <Failed
        title="You may not see what the node does."
        next="This needs the permission system.metrics.read, in the main tenant: ask an administrator for a role that has it."
      />
    );
  }
  return (
    <div className={css.page}>
      <Bar span={span} onSpan={onSpan} load={data?.load} />
      {error ? <Failed {...failure(error)} retry={() => void refetch()} /> : null}
      {data === undefined ? (
        error ? null : (
          <Waiting lines={8} />
        )
      ) : (
        <>
          <Charts {...data} span={span} onSpan={onSpan} />
          <MethodTable
            methods={data.load.methods}
            seconds={data.to - data.from}
            picked={span.method}
            onPick={(method) => onSpan(without(span, method))}
          />
        </>
      )}
    </div>
  );
}

function without({ method: _, ...rest }: Span, method: string | undefined): Span {
  return method === undefined ? rest : { ...rest, method };
}

interface BarProps extends Props {
  load: GetLoadResponse | undefined;
}

/** Which span, of which node, since when it is known. */
function Bar({ span, onSpan, load }: BarProps) {
  const of = span.method === undefined ? {} : { method: span.method };
  return (
    <div className={css.bar}>
      <nav className={links.list} aria-label="Span">
        {Object.keys(LASTS).map((last) => (
          <Link
            key={last}
            to="/operate/load"
            search={{ ...of, last: last as "1h" }}
            className={links.tab}
            aria-current={isMoving(span) && (span.last ?? "1h") === last ? "page" : undefined}
          >
            {last}
          </Link>
        ))}
      </nav>
      {isMoving(span) ? null : (
        <Button small onClick={() => onSpan(of)}>
          Back to now
        </Button>
      )}
      {span.method === undefined ? null : (
        <Button small onClick={() => onSpan(without(span, undefined))}>
          {nameOf(span.method)} ×
        </Button>
      )}
      <span className={css.about}>
        {load?.node ? <Badge title="The node that answered">{load.node}</Badge> : null}
        {load?.sinceTime ? (
          <span>
            known since <Time time={timestampDate(load.sinceTime).toISOString()} />
          </span>
        ) : null}
      </span>
    </div>
  );
}

interface ChartsProps extends Props {
  load: GetLoadResponse;
  from: number;
  to: number;
}

function Charts({ load, from, to, span, onSpan }: ChartsProps) {
  const step = Number(load.stepSeconds);
  const { times, at } = useMemo(() => grid(load.points, step), [load.points, step]);
  const charts = useMemo(() => chartsOf(step), [step]);
  const drawn = useMemo(
    () =>
      charts.map(({ lines, ...chart }) => ({
        ...chart,
        lines: lines.map(([name, of]) => line(name, at, of)),
      })),
    [charts, at],
  );
  if (load.points.length === 0) {
    return (
      <Empty>
        <p>
          Nothing is known of this span. A node keeps what it did in its own memory, from its start
          on and for a day; its first ten seconds are told once they are over.
        </p>
      </Empty>
    );
  }
  const zoom = (from: number, to: number) => onSpan(zoomed(span, from, to, step));
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
            onZoom={zoom}
          />
        ))}
      </Suspense>
    </div>
  );
}

function isMeasured(lines: readonly { values: (number | null)[] }[]): boolean {
  return lines.some(({ values }) => values.some((value) => value !== null && value > 0));
}

interface Chart {
  title: string;
  lines: [name: string, of: Of][];
  format: (value: number) => string;
  isLog?: boolean;
  isBinary?: boolean;
  /** Whether it is left out where it never says anything but nothing. */
  hides?: boolean;
}

function chartsOf(step: number): Chart[] {
  const perSecond = (value: number) => `${digits(value)}/s`;
  const batch: Of = ({ commits, batches }) =>
    batches === 0n ? null : Number(commits) / Number(batches);
  const durable: Of = ({ batchUs, batches }) =>
    batches === 0n ? null : Number(batchUs) / Number(batches) / 1000;
  return [
    { title: "Calls", lines: [["", rate(({ calls }) => calls, step)]], format: perSecond },
    { title: "Errors", lines: [["", rate(({ errors }) => errors, step)]], format: perSecond },
    {
      title: "Latency",
      lines: [
        ["p50", latency(({ p50Us }) => p50Us)],
        ["p90", latency(({ p90Us }) => p90Us)],
        ["p99", latency(({ p99Us }) => p99Us)],
      ],
      format: milliseconds,
      isLog: true,
    },
    { title: "Commits", lines: [["", rate(({ commits }) => commits, step)]], format: perSecond },
    { title: "Queries", lines: [["", rate(({ reads }) => reads, step)]], format: perSecond },
    { title: "Time of a transaction", lines: [["", durable]], format: milliseconds },
    { title: "Commits in a transaction", lines: [["", batch]], format: digits },
    { title: "Commands that wait", lines: [["", ({ queue }) => Number(queue)]], format: digits },
    {
      title: "Conflicts",
      lines: [["", rate(({ retries }) => retries, step)]],
      format: perSecond,
      hides: true,
    },
    {
      title: "Write-ahead log",
      lines: [["", ({ walBytes }) => Number(walBytes)]],
      format: bytes,
      isBinary: true,
      hides: true,
    },
    {
      title: "Memory",
      lines: [["", ({ memoryBytes }) => Number(memoryBytes)]],
      format: bytes,
      isBinary: true,
      hides: true,
    },
    {
      title: "Connections",
      lines: [["", ({ connections }) => Number(connections)]],
      format: digits,
    },
  ];
}
