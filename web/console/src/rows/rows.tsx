import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Empty, Failed, Item, Menu, Table, Waiting } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";

import { type Collection, keyOf } from "../contracts/collections.js";
import { first } from "../contracts/comments.js";
import { rulesOf } from "../contracts/rules.js";
import { useKnown } from "../known.js";
import { call, failure } from "../node.js";
import { say } from "../strings.js";
import { words } from "../values.js";
import { useColumns } from "./columns.js";
import { csv, save } from "./export.js";
import { Filter } from "./filter.js";
import { type Loaded, PAGES_MAX, useLivePages } from "./live.js";
import { Many } from "./many.js";
import css from "./rows.module.css";
import { sorted, sortOf, textOf } from "./sorted.js";
import { Thing } from "./thing.js";

/** Rows of a page that is watched, and of one further down. */
const PAGE = 100;
const PAGE_MAX = 1_000;
/** As many as are loaded for somebody who wants all: to sort them, or to take them along. */
const ALL_MAX = 100_000;

/** What a page of rows has in its address. */
export interface Shown {
  /** The thing that is open, by its key. */
  open?: string | undefined;
  /** What is filtered by, by the name of the field. */
  filter?: { [name: string]: string } | undefined;
  /** What is sorted by: `balance`, or `-balance` for the largest first. */
  sort?: string | undefined;
}

interface Props {
  collection: Collection;
  shown: Shown;
  onShow: (shown: Shown) => void;
  /** Where one leads; it is shown beside the rows, where nothing is said. */
  onOpen?: ((thing: JsonObject) => void) | undefined;
}

/** Everything of one kind as a table, made of its contract. */
export function Rows({ collection, shown, onShow, onOpen }: Props) {
  const { may } = useKnown();
  const { list, items } = collection;
  const filter = shown.filter ?? {};
  const [format, setFormat] = useState<Format>();
  const [picked, pick] = useState<ReadonlySet<string>>(new Set());
  const sort = sortOf(shown.sort);
  const { page, isLive, things } = useRows(
    collection,
    filter,
    sort !== undefined || format !== undefined,
  );
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = page;
  const isWhole = !hasNextPage || things.length >= ALL_MAX;
  const { columns, menu, widths, setWidths } = useColumns(collection, things);
  const field = sort && collection.item.fields.find(({ name }) => name === sort.id);
  const rows = useMemo(
    () => (field && isWhole ? sorted(things, field, sort?.isDescending === true) : things),
    [things, field, isWhole, sort?.isDescending],
  );
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  useEffect(() => {
    if (format === undefined || !isWhole) return;
    take(format, collection.name, rows);
    setFormat(undefined);
  }, [format, isWhole, collection.name, rows]);
  const open = things.find((thing) => keyOf(collection, thing) === shown.open);
  const chosen = picked.size === 0 ? [] : rows.filter((row) => picked.has(keyOf(collection, row)));
  return (
    <div className={css.page}>
      <div className={css.bar}>
        {collection.filters.map((field) => (
          <Filter
            key={field.name}
            field={field}
            value={filter[field.jsonName] ?? ""}
            onChange={(value) =>
              onShow({ ...shown, filter: without({ ...filter, [field.jsonName]: value }) })
            }
          />
        ))}
        <span className={css.count} role="status">
          {page.data ? counted(things.length, hasNextPage, sort !== undefined) : ""}
          {isLive ? <span className={css.live}>{say.data.live}</span> : null}
        </span>
        {things.length > 0 ? (
          <>
            {menu}
            <span data-export>
              <Menu title={format ? say.data.loading : say.data.exporting}>
                {(close) =>
                  (["csv", "json"] as const).map((one) => (
                    <Item
                      key={one}
                      onClick={() => {
                        close();
                        setFormat(one);
                      }}
                    >
                      {one.toUpperCase()}
                    </Item>
                  ))
                }
              </Menu>
            </span>
          </>
        ) : null}
      </div>
      {chosen.length > 0 ? (
        <Many collection={collection} things={chosen} onClear={() => pick(new Set())} />
      ) : null}
      {!may(list) ? (
        <Failed
          title={say.data.denied(words(items.name))}
          next={say.failures.needs(list.permission)}
        />
      ) : page.error ? (
        <Failed {...failure(page.error)} retry={() => void page.refetch()} />
      ) : page.isPending ? (
        <Waiting lines={8} />
      ) : things.length === 0 ? (
        <Nothing collection={collection} isFiltered={Object.keys(filter).length > 0} />
      ) : (
        <Table
          className={css.table}
          label={words(items.name)}
          columns={columns}
          rows={rows}
          keyOf={(thing) => keyOf(collection, thing)}
          onOpen={onOpen ?? ((thing) => onShow({ ...shown, open: keyOf(collection, thing) }))}
          opened={shown.open}
          onEnd={onEnd}
          sort={sort}
          onSort={(sort) => onShow({ ...shown, sort: textOf(sort) })}
          picks={{ picked, onPick: pick }}
          widths={widths}
          onWidths={setWidths}
        />
      )}
      {shown.open !== undefined && !page.isPending ? (
        <Thing
          key={shown.open}
          collection={collection}
          id={shown.open}
          thing={open}
          onClose={() => onShow({ ...shown, open: undefined })}
        />
      ) : null}
    </div>
  );
}

/** The rows that are loaded, and how to get more; all of them, where somebody wants them. */
function useRows(collection: Collection, filter: JsonObject, wantsAll: boolean) {
  const { contracts, may } = useKnown();
  const { list, items, isPaged } = collection;
  const size = list.desc.input.fields.find(({ name }) => name === "page_size");
  const most = size && rulesOf(contracts, size).check(PAGE_MAX) === undefined ? PAGE_MAX : PAGE;
  const queryKey = ["rows", list.service, list.name, filter];
  const request = (token: string, nth: number): JsonObject => {
    const pageSize = nth < PAGES_MAX ? PAGE : most;
    return { ...filter, ...(isPaged ? { pageSize, ...(token ? { pageToken: token } : {}) } : {}) };
  };
  const read = (json: JsonValue): Loaded => {
    const reply = json as JsonObject;
    return {
      things: (reply[items.jsonName] ?? []) as JsonObject[],
      next: String(reply.nextPageToken ?? ""),
    };
  };
  const page = useInfiniteQuery({
    queryKey,
    queryFn: async ({ pageParam: { token, nth }, signal }) =>
      read((await call(contracts, list, request(token, nth), { signal })).json),
    initialPageParam: { token: "", nth: 0 },
    getNextPageParam: ({ next }, all) => (next ? { token: next, nth: all.length } : undefined),
    enabled: may(list),
  });
  const isLive = useLivePages({ list, request, read, queryKey, data: page.data });
  const things = useMemo(() => page.data?.pages.flatMap(({ things }) => things) ?? [], [page.data]);
  const { hasNextPage, isFetching, fetchNextPage } = page;
  const count = things.length;
  useEffect(() => {
    if (wantsAll && hasNextPage && !isFetching && count < ALL_MAX) void fetchNextPage();
  }, [wantsAll, hasNextPage, isFetching, count, fetchNextPage]);
  return { page, isLive, things };
}

/** How many rows there are; where they are to be sorted, whether these are all of them. */
function counted(count: number, hasMore: boolean, isSorted: boolean): string {
  if (!hasMore) return count.toLocaleString();
  if (!isSorted) return say.data.more(count);
  return count < ALL_MAX ? say.data.sorting(count) : say.data.sortedPart(count);
}

function without(filter: { [name: string]: string }): { [name: string]: string } | undefined {
  const said = Object.entries(filter).filter(([, value]) => value !== "");
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

function Nothing({ collection, isFiltered }: { collection: Collection; isFiltered: boolean }) {
  const { contracts } = useKnown();
  const name = words(collection.items.name);
  if (isFiltered) return <Empty>{say.data.noMatch(name)}</Empty>;
  return (
    <Empty>
      <p>{say.data.none(name, first(contracts.comment(collection.item)))}</p>
    </Empty>
  );
}

type Format = "csv" | "json";

/** Hands over what is listed, as a file. */
function take(format: Format, name: string, rows: readonly JsonObject[]): void {
  if (format === "csv") save(`${name}.csv`, "text/csv", csv(rows));
  else save(`${name}.json`, "application/json", JSON.stringify(rows, null, 2));
}
