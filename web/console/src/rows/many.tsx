import type { JsonObject } from "@bufbuild/protobuf";
import { Button } from "@stoa/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Collection } from "../contracts/collections.js";
import { useKnown } from "../known.js";
import { call } from "../node.js";
import { say } from "../strings.js";
import { short, words } from "../values.js";
import { bulkOf, each, type Outcome } from "./bulk.js";
import css from "./rows.module.css";
import { verb } from "./thing.js";

interface Props {
  collection: Collection;
  /** Those that are picked. */
  things: readonly JsonObject[];
  onClear: () => void;
}

/** What can be done to all that are picked. It is asked back once, and each failure is told. */
export function Many({ collection, things, onClear }: Props) {
  const { contracts, may } = useKnown();
  const queries = useQueryClient();
  const [asked, ask] = useState<ReturnType<typeof bulkOf>[number]>();
  const [outcome, setOutcome] = useState<Outcome>();
  const actions = bulkOf(collection).filter(({ method }) => may(method));
  const name = words(collection.items.name);
  const isBusy = outcome !== undefined && outcome.done + outcome.failed.length < outcome.total;
  const act = async (action: NonNullable<typeof asked>) => {
    ask(undefined);
    setOutcome({ done: 0, total: things.length, failed: [] });
    const one = (request: JsonObject) => call(contracts, action.method, request);
    await each(collection, action, things, one, setOutcome);
    await queries.invalidateQueries({ queryKey: ["rows"] });
  };
  const clear = () => {
    setOutcome(undefined);
    onClear();
  };
  return (
    <section className={css.many} aria-label={say.data.picked} aria-live="polite">
      <div className={css.bulk}>
        <strong>{outcome ? said(outcome) : say.data.countPicked(things.length)}</strong>
        {asked ? (
          <>
            <span>
              {say.data.ask(verb(asked.method.name, collection.item.name), things.length, name)}
            </span>
            <Button small kind="danger" onClick={() => void act(asked)}>
              {say.data.act(verb(asked.method.name, collection.item.name), things.length)}
            </Button>
            <Button small kind="quiet" onClick={() => ask(undefined)}>
              {say.data.keep}
            </Button>
          </>
        ) : outcome ? null : (
          actions.map((action) => (
            <Button small key={action.method.name} onClick={() => ask(action)}>
              {verb(action.method.name, collection.item.name)}
            </Button>
          ))
        )}
        <Button small kind="quiet" disabled={isBusy} onClick={clear}>
          {outcome ? say.data.done : say.data.clear}
        </Button>
      </div>
      {outcome && outcome.failed.length > 0 ? (
        <ul className={css.failures}>
          {outcome.failed.map(({ key, failure }) => (
            <li key={key}>
              <code title={key}>{short(key)}</code> {failure.title} <span>{failure.next}</span>
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function said({ done, total, failed }: Outcome): string {
  const isBusy = done + failed.length < total;
  return isBusy
    ? say.data.progress(done + failed.length, total)
    : say.data.outcome(done, failed.length);
}
