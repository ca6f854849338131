import { timestampDate } from "@bufbuild/protobuf/wkt";
import { InventoryService, type Stock } from "@stoa/sdk/inventory";
import { type Column, Empty, State, Table } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback } from "react";

import { stoa } from "../node.js";
import { Time } from "../reply/value.js";
import { say } from "../strings.js";
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
              <p>{say.stock.none(<Act method="Receive">{say.stock.receiveGoods}</Act>)}</p>
            </Empty>
          );
        }
        return (
          <Table
            className={css.table}
            label={say.stock.label}
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
      aria-label={of ? say.stock.act(children, of.sku, of.location) : undefined}
    >
      {children}
    </Link>
  );
}

const number = (value: bigint) => value.toLocaleString();

const COLUMNS: Column<Stock>[] = [
  { id: "sku", title: say.stock.sku, width: 160, cell: ({ sku }) => <code>{sku}</code> },
  { id: "location", title: say.stock.location, width: 120, cell: ({ location }) => location },
  {
    id: "state",
    title: say.stock.state,
    width: 112,
    cell: ({ available }) =>
      available > 0n ? (
        <State mood="good">{say.stock.inStock}</State>
      ) : (
        <State mood="warn">{say.stock.noneLeft}</State>
      ),
  },
  {
    id: "available",
    title: say.stock.available,
    align: "end",
    width: 120,
    cell: ({ available }) => number(available),
  },
  {
    id: "reserved",
    title: say.stock.reserved,
    align: "end",
    width: 120,
    cell: ({ reserved }) => number(reserved),
  },
  {
    id: "total",
    title: say.stock.inAll,
    align: "end",
    width: 120,
    cell: ({ available, reserved }) => number(available + reserved),
  },
  {
    id: "changed",
    title: say.stock.changed,
    width: 112,
    cell: ({ updateTime }) =>
      updateTime ? <Time time={timestampDate(updateTime).toISOString()} /> : "–",
  },
  {
    id: "acts",
    title: say.stock.toDo,
    width: 140,
    cell: (stock) => (
      <span className={css.acts}>
        <Act method="Receive" of={stock}>
          {say.stock.receive}
        </Act>
        <Act method="Issue" of={stock}>
          {say.stock.issue}
        </Act>
      </span>
    ),
  },
];
