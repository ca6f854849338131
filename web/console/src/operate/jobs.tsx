import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Job, SystemService } from "@stoa/sdk/system";
import { type Column, Empty, Failed, input, type Mood, State, Table, Waiting } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import type { Shown } from "../rows/rows.js";
import { short } from "../values.js";
import { useBulk } from "./bulk.js";
import { MethodLink } from "./methods.js";
import css from "./operate.module.css";
import { boxes, type Deed, Deeds } from "./picker.js";

const EVERY_MS = 5_000;
const PAGE = 100;
const STATES = ["ready", "leased", "done", "dead"];
const MOODS: Record<string, Mood> = { done: "good", dead: "bad" };

/** What is to happen after commits; what is dead waits for somebody. */
export function Jobs({ shown, onShow }: { shown: Shown; onShow: (shown: Shown) => void }) {
  const state = shown.filter?.state ?? "";
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    {
      queryKey: ["jobs", state],
      queryFn: ({ pageParam, signal }) =>
        stoa
          .client(SystemService)
          .listJobs({ state, pageSize: PAGE, pageToken: pageParam }, { signal }),
      initialPageParam: "",
      getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
      refetchInterval: EVERY_MS,
    },
  );
  const rows = useMemo(() => data?.pages.flatMap(({ jobs }) => jobs) ?? [], [data]);
  const dead = rows.filter(({ state }) => state === "dead");
  const bulk = useBulk(() => void refetch());
  const of = (count: number) => `${count || ""} ${count === 1 ? "job" : "jobs"}`.trim();
  const deeds: Deed[] = [
    {
      verb: (count) => `Retry ${of(count)}`,
      act: (id) => stoa.client(SystemService).retryJob({ id }),
    },
    {
      verb: (count) => `Drop ${of(count)}`,
      act: (id) => stoa.client(SystemService).dropJob({ id }),
      loses: "They will not run any more.",
    },
  ];
  const box = boxes(bulk, dead, keyOf, ({ id }) => id);
  const columns: Column<Job>[] = [
    { ...box, cell: (job) => (job.state === "dead" ? box.cell(job) : null) },
    ...COLUMNS,
  ];
  return (
    <div className={css.page}>
      <Deeds bulk={bulk} deeds={deeds} isEmpty={dead.length === 0} nameOf={short}>
        <label className={css.filter}>
          state
          <select
            className={input}
            value={state}
            onChange={({ target: { value } }) => onShow(value ? { filter: { state: value } } : {})}
          >
            <option value="">any</option>
            {STATES.map((state) => (
              <option key={state}>{state}</option>
            ))}
          </select>
        </label>
        <span className={css.count}>
          {rows.length > 0 ? `${of(rows.length)}${hasNextPage ? ", and more" : ""}` : ""}
        </span>
      </Deeds>
      {error ? (
        <Failed {...failure(error)} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Waiting lines={8} />
      ) : rows.length === 0 ? (
        <Empty>
          <p>
            {state
              ? `No job is ${state}.`
              : "No jobs yet. What a command has done after its commit, mail for example, is a job."}
          </p>
        </Empty>
      ) : (
        <Table
          className={css.table}
          label="Jobs"
          columns={columns}
          rows={rows}
          keyOf={keyOf}
          onEnd={() => {
            if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
          }}
        />
      )}
    </div>
  );
}

const keyOf = ({ id }: Job) => id;

const COLUMNS: Column<Job>[] = [
  {
    id: "id",
    title: "id",
    width: 132,
    cell: ({ id }) => (
      <span className={css.mono} title={id}>
        {short(id)}
      </span>
    ),
  },
  {
    id: "method",
    title: "method",
    width: 200,
    cell: ({ method }) => <MethodLink path={method} />,
  },
  {
    id: "state",
    title: "state",
    width: 96,
    cell: ({ state }) => <State mood={MOODS[state] ?? "plain"}>{state}</State>,
  },
  {
    id: "attempts",
    title: "attempts",
    width: 88,
    align: "end",
    cell: ({ attempts }) => attempts.toLocaleString(),
  },
  {
    id: "time",
    title: "due, or ended",
    width: 120,
    cell: ({ runTime }) => (runTime ? <Time time={timestampDate(runTime).toISOString()} /> : "–"),
  },
  {
    id: "error",
    title: "why it failed last",
    width: 280,
    cell: ({ error }) => (error ? <span title={error}>{error}</span> : "–"),
  },
  {
    id: "position",
    title: "commit",
    width: 96,
    cell: ({ position }) => (
      <Link className={css.mono ?? ""} to="/operate/commits/$position" params={{ position }}>
        {position}
      </Link>
    ),
  },
  {
    id: "behalf",
    title: "on behalf of",
    width: 150,
    cell: ({ onBehalf }) => (
      <span className={css.mono} title={onBehalf}>
        {onBehalf.replace(/[a-z]+_[0-9a-z]{20,}/, short)}
      </span>
    ),
  },
];
