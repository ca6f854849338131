import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Job, SystemService } from "@stoa/sdk/system";
import { type Column, Empty, Failed, input, type Mood, State, Table, Waiting } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import type { Shown } from "../rows/rows.js";
import { say } from "../strings.js";
import { brief, short } from "../values.js";
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
  const bulk = useBulk(dead.map(keyOf), () => void refetch());
  const deeds: Deed[] = [
    {
      verb: say.jobs.retry,
      act: (id) => stoa.client(SystemService).retryJob({ id }),
    },
    {
      verb: say.jobs.drop,
      act: (id) => stoa.client(SystemService).dropJob({ id }),
      loses: say.jobs.dropLoses,
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
          {say.jobs.state}
          <select
            className={input}
            value={state}
            onChange={({ target: { value } }) => onShow(value ? { filter: { state: value } } : {})}
          >
            <option value="">{say.jobs.anyState}</option>
            {STATES.map((state) => (
              <option key={state}>{state}</option>
            ))}
          </select>
        </label>
        <span className={css.count}>
          {rows.length > 0 ? say.jobs.count(rows.length, hasNextPage) : ""}
        </span>
      </Deeds>
      {error ? (
        <Failed {...failure(error)} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Waiting lines={8} />
      ) : rows.length === 0 ? (
        <Empty>
          <p>{state ? say.jobs.noneOf(state) : say.jobs.none}</p>
        </Empty>
      ) : (
        <Table
          className={css.table}
          label={say.jobs.label}
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
    title: say.jobs.id,
    width: 120,
    cell: ({ id }) => (
      <span className={css.mono} title={id}>
        {short(id)}
      </span>
    ),
  },
  {
    id: "method",
    title: say.jobs.method,
    width: 180,
    cell: ({ method }) => <MethodLink path={method} />,
  },
  {
    id: "state",
    title: say.jobs.state,
    width: 88,
    cell: ({ state }) => <State mood={MOODS[state] ?? "plain"}>{state}</State>,
  },
  {
    id: "attempts",
    title: say.jobs.attempts,
    width: 80,
    align: "end",
    cell: ({ attempts }) => attempts.toLocaleString(),
  },
  {
    id: "time",
    title: say.jobs.due,
    width: 112,
    cell: ({ runTime }) => (runTime ? <Time time={timestampDate(runTime).toISOString()} /> : "–"),
  },
  {
    id: "error",
    title: say.jobs.error,
    width: 240,
    cell: ({ error }) => (error ? <span title={error}>{error}</span> : "–"),
  },
  {
    id: "position",
    title: say.jobs.commit,
    width: 80,
    cell: ({ position }) => (
      <Link className={css.mono ?? ""} to="/operate/commits/$position" params={{ position }}>
        {position}
      </Link>
    ),
  },
  {
    id: "behalf",
    title: say.jobs.behalf,
    width: 136,
    cell: ({ onBehalf }) => (
      <span className={css.mono} title={onBehalf}>
        {brief(onBehalf)}
      </span>
    ),
  },
];
