import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Failed, Waiting } from "@stoa/ui";
import type { UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { failure } from "../node.js";
import { Money, Time } from "../reply/value.js";
import { short } from "../values.js";
import css from "./pages.module.css";

/** What a query gives, or why it does not. */
export function Asked<Data>(props: {
  query: UseQueryResult<Data>;
  lines?: number;
  children: (data: Data) => ReactNode;
}) {
  const { query, lines = 6, children } = props;
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failed {...failure(query.error)} retry={() => void query.refetch()} />;
  return <Waiting lines={lines} />;
}

export function When({ time }: { time: Timestamp | undefined }) {
  return time === undefined ? null : <Time time={timestampDate(time).toISOString()} />;
}

export function Sum({ of }: { of: { amount: bigint; currency: string } | undefined }) {
  return of === undefined ? "–" : <Money amount={String(of.amount)} currency={of.currency} />;
}

/** A link to one of a kind, beside others of its kind. */
export function One({ list, id }: { list: `${string}/${string}`; id: string }) {
  const [service = "", name = ""] = list.split("/");
  if (id === "") return <>–</>;
  return (
    <Link
      to="/data/$service/$name"
      params={{ service, name }}
      search={{ open: id }}
      className={css.mono ?? ""}
      title={id}
    >
      {short(id)}
    </Link>
  );
}

/** What there is to know, name by name. */
export function Facts({ of }: { of: { readonly [name: string]: ReactNode } }) {
  return (
    <dl className={css.facts}>
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
