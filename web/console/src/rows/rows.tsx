import { type DescField, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { Button, type Column, Empty, Failed, input, Table, Waiting } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { type Collection, keyOf } from "../contracts/collections.js";
import { first } from "../contracts/comments.js";
import { useKnown } from "../known.js";
import { call, failure } from "../node.js";
import { isAmount, Value } from "../reply/value.js";
import { words } from "../values.js";
import { csv, save } from "./export.js";
import { type Loaded, useLivePages } from "./live.js";
import css from "./rows.module.css";
import { Thing } from "./thing.js";

const PAGE = 100;

/** What a page of rows has in its address. */
export interface Shown {
  /** The thing that is open, by its key. */
  open?: string | undefined;
  /** What is filtered by, by the name of the field. */
  filter?: { [name: string]: string } | undefined;
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
  const { contracts, may } = useKnown();
  const { list, items, isPaged } = collection;
  const filter = shown.filter ?? {};
  const queryKey = ["rows", list.service, list.name, filter];
  const request = (token: string): JsonObject => {
    const paging = isPaged ? { pageSize: PAGE, ...(token ? { pageToken: token } : {}) } : {};
    return { ...filter, ...paging };
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
    queryFn: async ({ pageParam, signal }) =>
      read((await call(contracts, list, request(pageParam), { signal })).json),
    initialPageParam: "",
    getNextPageParam: ({ next }) => next || undefined,
    enabled: may(list),
  });
  const isLive = useLivePages({ list, request, read, queryKey, data: page.data });
  const things = useMemo(() => page.data?.pages.flatMap(({ things }) => things) ?? [], [page.data]);
  const columns = useMemo(() => columnsOf(collection, things), [collection, things]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = page;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const open = things.find((thing) => keyOf(collection, thing) === shown.open);
  return (
    <div className={css.page}>
      <div className={css.bar}>
        {collection.filters.map((field) => (
          <Filter
            key={field.name}
            field={field}
            value={filter[field.jsonName] ?? ""}
            onChange={(value) =>
              onShow({ filter: without({ ...filter, [field.jsonName]: value }) })
            }
          />
        ))}
        <span className={css.count}>
          {page.data ? counted(things.length, hasNextPage) : ""}
          {isLive ? <span className={css.live}>live</span> : null}
        </span>
        {things.length > 0 ? <Export name={collection.name} things={things} /> : null}
      </div>
      {!may(list) ? (
        <Failed
          title={`You may not list ${words(items.name)}.`}
          next={`This needs the permission ${list.permission}: ask an administrator for a role that has it.`}
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
          rows={things}
          keyOf={(thing) => keyOf(collection, thing)}
          onOpen={onOpen ?? ((thing) => onShow({ ...shown, open: keyOf(collection, thing) }))}
          opened={shown.open}
          onEnd={onEnd}
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

function counted(count: number, hasMore: boolean): string {
  return hasMore ? `${count.toLocaleString()}, and more` : count.toLocaleString();
}

function without(filter: { [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}

function Nothing({ collection, isFiltered }: { collection: Collection; isFiltered: boolean }) {
  const { contracts } = useKnown();
  const name = words(collection.items.name);
  if (isFiltered) return <Empty>No {name} match. Widen the filter.</Empty>;
  return (
    <Empty>
      <p>
        No {name} yet. {first(contracts.comment(collection.item))}
      </p>
    </Empty>
  );
}

/** What is listed here, as a file. */
function Export({ name, things }: { name: string; things: readonly JsonObject[] }) {
  return (
    <span className={css.export}>
      <Button small onClick={() => save(`${name}.csv`, "text/csv", csv(things))}>
        CSV
      </Button>
      <Button
        small
        onClick={() => save(`${name}.json`, "application/json", JSON.stringify(things, null, 2))}
      >
        JSON
      </Button>
    </span>
  );
}

interface FilterProps {
  field: DescField;
  value: string;
  onChange: (value: string) => void;
}

function Filter({ field, value, onChange }: FilterProps) {
  const name = words(field.name);
  if (field.fieldKind === "enum") {
    const { values, sharedPrefix } = field.enum;
    return (
      <label className={css.filter}>
        {name}
        <select className={input} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">any</option>
          {values
            .filter(({ number }) => number !== 0)
            .map((one) => (
              <option key={one.name} value={one.name}>
                {words(one.name, sharedPrefix)}
              </option>
            ))}
        </select>
      </label>
    );
  }
  // What is typed counts once it is left or entered: half of an identifier finds nothing.
  return (
    <label className={css.filter}>
      {name}
      <input
        key={value}
        className={input}
        defaultValue={value}
        placeholder="any"
        spellCheck={false}
        onBlur={(event) => event.target.value !== value && onChange(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </label>
  );
}

const NO_NUMBERS = [ScalarType.BOOL, ScalarType.BYTES, ScalarType.STRING];
/** What one looks at in the drawer. */
const HIDDEN = ["etag", "metadata", "preferences", "payload", "update_time"];

/** A column for each field that is a value; one that is empty in every row is left out. */
function columnsOf({ item, id }: Collection, things: readonly JsonObject[]): Column<JsonObject>[] {
  const isFilled = (field: DescField) =>
    things.some(
      (thing) => !["", "[]", "{}", "null", undefined].includes(text(thing[field.jsonName])),
    );
  const fields = item.fields.filter((field) => !HIDDEN.includes(field.name) && isFilled(field));
  const amounts = (field: DescField) => things.some((thing) => isAmount(field, thing));
  const isMoney = fields.some(amounts);
  return [id, ...fields.filter((field) => field !== id)]
    .filter((field) => !(isMoney && field.name === "currency"))
    .map((field) => ({
      id: field.name,
      title: words(field.name),
      align: isNumber(field) || amounts(field) ? "end" : "start",
      width: widthOf(field),
      cell: (thing) => <Value field={field} value={thing[field.jsonName]} of={thing} />,
    }));
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isNumber(field: DescField): boolean {
  if (field.fieldKind === "message") return field.message.typeName === "stoa.v1.Money";
  return field.fieldKind === "scalar" && !NO_NUMBERS.includes(field.scalar);
}

function widthOf(field: DescField): number {
  if (field.fieldKind === "enum") return 120;
  if (field.fieldKind === "list" || field.fieldKind === "map") return 160;
  if (isNumber(field)) return 136;
  if (field.fieldKind === "message") return 124;
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.BOOL) return 92;
  if (/(^|_)id$/.test(field.name)) return 132;
  if (/state|kind|currency|sku|location/.test(field.name)) return 112;
  return 176;
}
