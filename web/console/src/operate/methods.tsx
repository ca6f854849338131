import type { MethodLoad } from "@stoa/sdk/system";
import { type Column, Table } from "@stoa/ui";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { say } from "../strings.js";
import { nameOf } from "../values.js";
import css from "./load.module.css";
import { digits, milliseconds } from "./points.js";

interface Props {
  methods: readonly MethodLoad[];
  /** How long the span is. */
  seconds: number;
  /** The method that the charts are of. */
  picked: string | undefined;
  onPick: (method: string | undefined) => void;
}

type By = "method" | "calls" | "errors" | "p50Us" | "p99Us" | "totalUs";

/** What was called, and how long it took: those first that took the most. */
export function MethodTable({ methods, seconds, picked, onPick }: Props) {
  const [by, sort] = useState<By>("totalUs");
  const rows = useMemo(() => sorted(methods, by), [methods, by]);
  const all = methods.reduce((sum, { totalUs }) => sum + Number(totalUs), 0);
  const { columns: names } = say.load;
  const column = (id: By, title: string, width: number, cell: Column<MethodLoad>["cell"]) => ({
    id,
    title: (
      <button
        type="button"
        className={css.sort}
        aria-pressed={by === id}
        onClick={() => sort(id)}
        title={say.load.sortBy(title)}
      >
        {title}
        {by === id ? <span aria-hidden="true"> ↓</span> : null}
      </button>
    ),
    align: id === "method" ? ("start" as const) : ("end" as const),
    width,
    cell,
  });
  const columns = [
    column("method", names.method, 280, ({ method }) => <MethodLink path={method} />),
    column("calls", names.calls, 104, ({ calls }) => calls.toLocaleString()),
    {
      id: "rate",
      title: names.rate,
      align: "end" as const,
      width: 104,
      cell: ({ calls }: MethodLoad) => digits(Number(calls) / seconds),
    },
    column("errors", names.errors, 96, ({ errors }) => (
      <span className={errors > 0n ? css.bad : css.none}>
        {errors > 0n ? errors.toLocaleString() : "–"}
      </span>
    )),
    column("p50Us", names.p50, 104, ({ p50Us }) => milliseconds(Number(p50Us) / 1000)),
    column("p99Us", names.p99, 104, ({ p99Us }) => milliseconds(Number(p99Us) / 1000)),
    column("totalUs", names.total, 112, ({ totalUs }) => milliseconds(Number(totalUs) / 1000)),
    {
      id: "share",
      title: names.share,
      align: "end" as const,
      width: 80,
      cell: ({ totalUs }: MethodLoad) =>
        all === 0 ? "–" : `${digits((Number(totalUs) / all) * 100)} %`,
    },
  ];
  return (
    <Table
      className={css.table}
      label={say.load.methods}
      columns={columns}
      rows={rows}
      keyOf={({ method }) => method}
      onOpen={({ method }) => onPick(method === picked ? undefined : method)}
      opened={picked}
    />
  );
}

/** Those with the most first; names in their own order. */
export function sorted(methods: readonly MethodLoad[], by: By): MethodLoad[] {
  return [...methods].sort((one, other) => {
    if (by === "method") return nameOf(one.method).localeCompare(nameOf(other.method));
    return Number(other[by] - one[by]);
  });
}

/** A method, and the way to its form. */
export function MethodLink({ path }: { path: string }) {
  const [service, method] = nameOf(path).split(" / ");
  if (service === undefined || method === undefined) return path || say.load.itself;
  return (
    <Link
      to="/explore/$service/$method"
      params={{ service, method }}
      title={path}
      onClick={(event) => event.stopPropagation()}
    >
      <span className={css.none}>{service} / </span>
      {method}
    </Link>
  );
}
