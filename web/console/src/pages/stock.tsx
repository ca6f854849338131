import { timestampDate } from "@bufbuild/protobuf/wkt";
import { InventoryService, type Stock } from "@stoa/sdk/inventory";
import { type Column, Empty, State, Table } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback } from "react";

import { stoa } from "../node.js";
import { Time } from "../reply/value.js";
import css from "./pages.module.css";
import { Asked } from "./shared.js";

const PAGE = 500;

/** What is there, and what of it is promised. */
export default function StockPage() {
  const stock = useInfiniteQuery({
    queryKey: ["stock"],
    queryFn: ({ pageParam, signal }) =>
      stoa.client(InventoryService).listStock({ pageSize: PAGE, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    refetchInterval: 5_000,
  });
  const { hasNextPage, isFetching, fetchNextPage } = stock;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return (
    <Asked query={stock}>
      {({ pages }) => {
        const rows = pages.flatMap(({ stock }) => stock);
        if (rows.length === 0) {
          return (
            <Empty>
              <p>
                Nothing is there yet. <Act method="Receive">Receive goods</Act> puts them here.
              </p>
            </Empty>
          );
        }
        return (
          <Table
            className={css.table}
            label="Stock"
            columns={COLUMNS}
            rows={rows}
            keyOf={({ sku, location }) => `${sku}/${location}`}
            onEnd={more}
          />
        );
      }}
    </Asked>
  );
}

interface ActProps {
  method: string;
  of?: Stock;
  children: string;
}

function Act({ method, of, children }: ActProps) {
  const fill = of ? { lines: [{ sku: of.sku }], location: of.location } : {};
  return (
    <Link
      to="/explore/$service/$method"
      params={{ service: "inventory", method }}
      search={{ fill }}
      aria-label={of ? `${children} ${of.sku} at ${of.location}` : undefined}
    >
      {children}
    </Link>
  );
}

const number = (value: bigint) => value.toLocaleString();

const COLUMNS: Column<Stock>[] = [
  { id: "sku", title: "SKU", width: 160, cell: ({ sku }) => <code>{sku}</code> },
  { id: "location", title: "location", width: 120, cell: ({ location }) => location },
  {
    id: "state",
    title: "state",
    width: 112,
    cell: ({ available }) =>
      available > 0n ? <State mood="good">in stock</State> : <State mood="warn">none left</State>,
  },
  {
    id: "available",
    title: "available",
    align: "end",
    width: 120,
    cell: ({ available }) => number(available),
  },
  {
    id: "reserved",
    title: "reserved",
    align: "end",
    width: 120,
    cell: ({ reserved }) => number(reserved),
  },
  {
    id: "total",
    title: "in all",
    align: "end",
    width: 120,
    cell: ({ available, reserved }) => number(available + reserved),
  },
  {
    id: "changed",
    title: "changed",
    width: 112,
    cell: ({ updateTime }) =>
      updateTime ? <Time time={timestampDate(updateTime).toISOString()} /> : "–",
  },
  {
    id: "acts",
    title: "to do",
    width: 140,
    cell: (stock) => (
      <span className={css.acts}>
        <Act method="Receive" of={stock}>
          Receive
        </Act>
        <Act method="Issue" of={stock}>
          Issue
        </Act>
      </span>
    ),
  },
];
