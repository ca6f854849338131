import { Button, type Column, Failed } from "@stoa/ui";
import { type ReactNode, useState } from "react";

import { failure } from "../node.js";
import { say } from "../strings.js";
import type { Bulk } from "./bulk.js";
import css from "./operate.module.css";

/** A column of boxes that pick rows, and all of them at once. */
export function boxes<Row>(
  bulk: Bulk,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  nameOf: (row: Row) => string,
): Column<Row> {
  const keys = rows.map(keyOf);
  const isAll = keys.length > 0 && keys.every((key) => bulk.picked.has(key));
  return {
    id: "picked",
    width: 40,
    title: (
      <input
        type="checkbox"
        aria-label={say.jobs.pickAll}
        checked={isAll}
        ref={(box) => {
          if (box !== null) box.indeterminate = !isAll && bulk.picked.size > 0;
        }}
        onChange={(event) => bulk.pickAll(event.target.checked ? keys : [])}
      />
    ),
    cell: (row) => (
      <input
        type="checkbox"
        aria-label={say.jobs.pick(nameOf(row))}
        checked={bulk.picked.has(keyOf(row))}
        onChange={(event) => bulk.pick(keyOf(row), event.target.checked)}
        onClick={(event) => event.stopPropagation()}
      />
    ),
  };
}

/** Something that can be done to what is picked. */
export interface Deed {
  /** What the button says of so many. */
  verb: (count: number) => string;
  act: (key: string) => Promise<unknown>;
  /** What is lost by it: asked about before it is done. */
  loses?: string;
}

interface Props {
  bulk: Bulk;
  deeds: Deed[];
  /** Whether there is nothing that it could be done to. */
  isEmpty: boolean;
  /** A thing by its key, in words. */
  nameOf: (key: string) => string;
  children: ReactNode;
}

/** What can be done to what is picked, and what came of it. */
export function Deeds({ bulk, deeds, isEmpty, nameOf, children }: Props) {
  const [asked, ask] = useState<Deed>();
  const { picked, isAtWork, outcome } = bulk;
  const begin = (deed: Deed) => {
    ask(undefined);
    void bulk.run(deed.act);
  };
  return (
    <>
      <div className={css.bar}>
        {children}
        <span className={css.deeds}>
          {asked ? (
            <>
              <span>{asked.loses}</span>
              <Button small kind="danger" onClick={() => begin(asked)}>
                {asked.verb(picked.size)}
              </Button>
              <Button small onClick={() => ask(undefined)}>
                {say.jobs.keep}
              </Button>
            </>
          ) : isEmpty ? null : (
            deeds.map((deed) => (
              <Button
                key={deed.verb(2)}
                small
                kind={deed.loses ? "danger" : "plain"}
                disabled={picked.size === 0 || isAtWork}
                onClick={() => (deed.loses ? ask(deed) : begin(deed))}
              >
                {deed.verb(picked.size)}
              </Button>
            ))
          )}
        </span>
      </div>
      {outcome ? (
        <div role="status" className={css.outcome}>
          {say.jobs.outcome(outcome.done, outcome.all, outcome.failed.length)}
        </div>
      ) : null}
      {outcome?.failed.map(({ key, thrown }) => {
        const told = failure(thrown);
        return <Failed key={key} {...told} title={`${nameOf(key)}: ${told.title}`} />;
      })}
    </>
  );
}
