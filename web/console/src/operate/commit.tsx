import { type Commit, SystemService } from "@stoa/sdk/system";
import { Copy, Failed, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";

import { Page } from "../frame/page.js";
import { failure, stoa } from "../node.js";
import { moment, short } from "../values.js";
import css from "./operate.module.css";

/** The whole story of one commit. */
export function CommitPage({ position }: { position: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["commit", position],
    queryFn: ({ signal }) => stoa.client(SystemService).getCommit({ position }, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Page title={`Commit ${position}`} tools={<Copy text={position} label="Copy the position" />}>
      {error ? <Failed {...failure(error)} retry={() => void refetch()} /> : null}
      {data?.commit ? <Story commit={data.commit} /> : error ? null : <Waiting lines={6} />}
    </Page>
  );
}

function Story({ commit }: { commit: Commit }) {
  const { events, jobs, tables, touched } = commit;
  const time =
    commit.time === undefined
      ? ""
      : moment(new Date(Number(commit.time.seconds) * 1000).toISOString());
  return (
    <div className={css.story}>
      <ol className={css.steps}>
        <Step title={commit.method || "No method ran"}>
          {commit.cause} of <code>{commit.caller}</code>,{" "}
          {(Number(commit.durationUs) / 1000).toFixed(2)} ms
        </Step>
        <Step title={`${count(tables.length, "table")} written`}>
          {tables.map(({ table, rows }) => (
            <span key={table} className={css.bars}>
              <code>{table}</code>
              <span />
              {count(Number(rows), "row")}
            </span>
          ))}
        </Step>
        <Step title={`Committed at ${time}`}>Everything above became durable together.</Step>
        {events.map(({ ordinal, topic, subject }) => (
          <Step key={`event ${ordinal}`} title={`Event ${topic}`}>
            about <code title={subject}>{short(subject)}</code>
          </Step>
        ))}
        {jobs.map(({ id, method, state, attempts, error }) => (
          <Step key={id} title={`Job ${method}`}>
            {state}, {count(Number(attempts), "attempt")}
            {error ? `: ${error}` : ""}
          </Step>
        ))}
      </ol>
      <aside className={css.facts}>
        <h2>What it touched</h2>
        <ul>
          {touched.map((key) => (
            <li key={key} className={css.mono} title={key}>
              {key.replace(/[^/]*$/, short)}
            </li>
          ))}
        </ul>
        {touched.length === 0 ? <p>Nothing by name.</p> : null}
        {commit.trace ? (
          <>
            <h2>Trace</h2>
            <code>{commit.trace}</code>
          </>
        ) : null}
      </aside>
    </div>
  );
}

function Step({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <li className={css.step}>
      <h3>{title}</h3>
      <p>{children}</p>
    </li>
  );
}

function count(number: number, what: string): string {
  return `${number.toLocaleString()} ${what}${number === 1 ? "" : "s"}`;
}
