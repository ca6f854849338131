import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, memo, type ReactNode, useCallback, useEffect, useRef } from "react";
import { say } from "../strings.js";
import { Grip, type Widths } from "./grip.js";
import css from "./table.module.css";

export interface Column<Row> {
  id: string;
  title: ReactNode;
  /** Numbers stand at the end, so that they line up. */
  align?: "start" | "end";
  /** In pixels; what is left over is shared. */
  width: number;
  cell: (row: Row) => ReactNode;
}

/** What rows are sorted by. */
export interface Sort {
  id: string;
  isDescending: boolean;
}

/** Which rows are picked, to do something with all of them. */
export interface Picks {
  picked: ReadonlySet<string>;
  onPick: (keys: ReadonlySet<string>) => void;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Opens a row, by a click or by Enter. */
  onOpen?: ((row: Row) => void) | undefined;
  opened?: string | undefined;
  /** Asked for when the last rows come into sight. */
  onEnd?: (() => void) | undefined;
  sort?: Sort | undefined;
  /** Asked for another order; where it is absent there is none to choose. */
  onSort?: ((sort: Sort | undefined) => void) | undefined;
  picks?: Picks | undefined;
  /** How wide somebody wants columns; the others are as they were made. */
  widths?: Widths | undefined;
  /** Told how wide columns are to be; where it is absent they stay as they are. */
  onWidths?: ((widths: Widths | undefined) => void) | undefined;
  className?: string | undefined;
}

const ROW = 32;
const PICK = 40;
/** Rows that are there before they come into sight: each of them is laid out with those that are seen. */
const OVERSCAN = 6;

/** Rows of the same kind, of which only those in sight are there. */
export function Table<Row>(props: Props<Row>) {
  const { columns, rows, keyOf, onOpen, onEnd, sort, onSort, picks, widths, onWidths } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 1) onEnd?.();
  }, [last, rows.length, onEnd]);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const widthOf = ({ id, width }: Column<Row>) => widths?.[id] ?? width;
  const width = columns.reduce((sum, column) => sum + widthOf(column), picks ? PICK : 0);
  const span = columns.length + (picks ? 1 : 0);
  // What a row calls stays the same, so that rows which stay are not drawn anew.
  const latest = useRef(props);
  latest.current = props;
  const open = useCallback((row: Row) => latest.current.onOpen?.(row), []);
  const pick = useCallback((key: string) => {
    const { picks } = latest.current;
    if (picks === undefined) return;
    const next = new Set(picks.picked);
    if (!next.delete(key)) next.add(key);
    picks.onPick(next);
  }, []);
  const isAll = picks !== undefined && rows.length > 0 && picks.picked.size >= rows.length;
  return (
    <section
      ref={scroll}
      className={`${css.scroll} ${props.className ?? ""}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      aria-label={props.label}
    >
      <table
        className={css.table}
        style={widths === undefined ? { minWidth: width } : { width }}
        aria-rowcount={rows.length + 1}
      >
        <colgroup>
          {picks ? <col style={{ width: PICK }} /> : null}
          {columns.map((column) => (
            <col key={column.id} style={{ width: widthOf(column) }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {picks ? (
              <th scope="col">
                <input
                  type="checkbox"
                  aria-label={say.pickAll}
                  checked={isAll}
                  onChange={() => picks.onPick(new Set(isAll ? [] : rows.map(keyOf)))}
                />
              </th>
            ) : null}
            {columns.map((column) => (
              <Head
                key={column.id}
                column={column}
                sort={sort?.id === column.id ? sort : undefined}
                onSort={onSort}
                width={widthOf(column)}
                onWidths={onWidths}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space height={before} span={span} />
          {items.map(({ index }) => {
            const row = rows[index] as Row;
            const key = keyOf(row);
            return (
              <Line<Row>
                key={key}
                id={key}
                row={row}
                index={index}
                columns={columns}
                isOpen={key === props.opened}
                isPicked={picks?.picked.has(key)}
                onOpen={onOpen ? open : undefined}
                onPick={pick}
              />
            );
          })}
          <Space height={after} span={span} />
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps<Row> {
  column: Column<Row>;
  sort: Sort | undefined;
  onSort: ((sort: Sort | undefined) => void) | undefined;
  width: number;
  onWidths: ((widths: Widths | undefined) => void) | undefined;
}

/** What a column holds; pressed, rows are sorted by it, the other way round, and not any more. */
function Head<Row>({ column, sort, onSort, width, onWidths }: HeadProps<Row>) {
  const { id, title, align } = column;
  const order = sort === undefined ? "none" : sort.isDescending ? "descending" : "ascending";
  const isNumber = align === "end";
  const press = () => {
    // Of numbers one wants the largest first.
    if (sort === undefined) onSort?.({ id, isDescending: isNumber });
    else if (sort.isDescending === isNumber) onSort?.({ id, isDescending: !isNumber });
    else onSort?.(undefined);
  };
  const Arrow = sort?.isDescending ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      data-column={id}
      className={isNumber ? css.end : ""}
      aria-sort={onSort && sort ? (order as "ascending" | "descending") : undefined}
    >
      {onSort ? (
        <button type="button" className={css.sort} onClick={press}>
          {title}
          {sort ? <Arrow size={12} aria-hidden /> : null}
        </button>
      ) : (
        title
      )}
      {onWidths ? <Grip id={id} width={width} onWidths={onWidths} /> : null}
    </th>
  );
}

interface LineProps<Row> {
  id: string;
  row: Row;
  index: number;
  columns: Column<Row>[];
  isOpen: boolean;
  /** Whether it is picked; absent where none can be. */
  isPicked: boolean | undefined;
  onOpen: ((row: Row) => void) | undefined;
  onPick: (key: string) => void;
}

const Line = memo(function Line<Row>(props: LineProps<Row>) {
  const { id, row, index, columns, isOpen, isPicked, onOpen, onPick } = props;
  const acts = {
    open: () => onOpen?.(row),
    pick: isPicked === undefined ? undefined : () => onPick(id),
  };
  return (
    <tr
      className={`${css.row} ${onOpen ? css.opens : ""}`}
      aria-rowindex={index + 2}
      aria-selected={isOpen || isPicked || undefined}
      tabIndex={onOpen || acts.pick ? 0 : undefined}
      onClick={acts.open}
      onKeyDown={(event) => steer(event, acts)}
    >
      {acts.pick ? (
        // biome-ignore lint/a11y/useKeyWithClickEvents: keys are the row's and the box's
        <td onClick={(event) => event.stopPropagation()}>
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={say.pick(index + 1)}
            checked={isPicked === true}
            onChange={acts.pick}
          />
        </td>
      ) : null}
      {columns.map((column) => (
        <td key={column.id} className={column.align === "end" ? css.end : ""}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <Row>(props: LineProps<Row>) => ReactNode;

/** Where the rows are that are not in sight. */
function Space({ height, span }: { height: number; span: number }) {
  return height <= 0 ? null : (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row that is nothing but space has no focus
    <tr className={css.space} aria-hidden="true">
      <td colSpan={span} style={{ height }} />
    </tr>
  );
}

/** Enter opens a row, Space picks it, or opens it where none is picked; arrows go to its neighbours. */
function steer(
  event: KeyboardEvent<HTMLElement>,
  { open, pick }: { open: () => void; pick: (() => void) | undefined },
) {
  if (event.target !== event.currentTarget) return;
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" } as const;
  if (event.key === "Enter") {
    open();
  } else if (event.key === " ") {
    (pick ?? open)();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const neighbour = event.currentTarget[to[event.key]];
    if (neighbour instanceof HTMLElement && neighbour.tabIndex === 0) neighbour.focus();
  } else {
    return;
  }
  event.preventDefault();
}
