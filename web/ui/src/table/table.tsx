import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";

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
  className?: string | undefined;
}

const ROW = 32;

/** Rows of the same kind, of which only those in sight are there. */
export function Table<Row>(props: Props<Row>) {
  const { columns, rows, keyOf, onOpen, onEnd } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 16,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 1) onEnd?.();
  }, [last, rows.length, onEnd]);
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  return (
    <section
      ref={scroll}
      className={`${css.scroll} ${props.className ?? ""}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      aria-label={props.label}
    >
      <table className={css.table} style={{ minWidth: width }} aria-rowcount={rows.length + 1}>
        <colgroup>
          {columns.map((column) => (
            <col key={column.id} style={{ width: column.width }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.id} scope="col" className={column.align === "end" ? css.end : ""}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Space height={before} span={columns.length} />
          {items.map(({ index }) => {
            const row = rows[index] as Row;
            const key = keyOf(row);
            return (
              <tr
                key={key}
                className={`${css.row} ${onOpen ? css.opens : ""}`}
                aria-rowindex={index + 2}
                aria-selected={key === props.opened || undefined}
                tabIndex={onOpen ? 0 : undefined}
                onClick={() => onOpen?.(row)}
                onKeyDown={(event) => steer(event, () => onOpen?.(row))}
              >
                {columns.map((column) => (
                  <td key={column.id} className={column.align === "end" ? css.end : ""}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          <Space height={after} span={columns.length} />
        </tbody>
      </table>
    </section>
  );
}

/** Where the rows are that are not in sight. */
function Space({ height, span }: { height: number; span: number }) {
  return height <= 0 ? null : (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row that is nothing but space has no focus
    <tr className={css.space} aria-hidden="true">
      <td colSpan={span} style={{ height }} />
    </tr>
  );
}

/** Enter and Space open a row, arrows go to its neighbours. */
function steer(event: KeyboardEvent<HTMLElement>, open: () => void) {
  if (event.target !== event.currentTarget) return;
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" } as const;
  if (event.key === "Enter" || event.key === " ") {
    open();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const neighbour = event.currentTarget[to[event.key]];
    if (neighbour instanceof HTMLElement && neighbour.tabIndex === 0) neighbour.focus();
  } else {
    return;
  }
  event.preventDefault();
}
