import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Commit,
  type GetCommitResponse,
  SystemService,
  type Timeline,
} from "@stoa/sdk/system";
import { Copy, Failed, Waiting, Waterfall } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";

import { Page } from "../frame/page.js";
import { useKnown } from "../known.js";
import { failure, stoa } from "../node.js";
import { moment, prefixOf, short } from "../values.js";
import { MethodLink } from "./methods.js";
import css from "./operate.module.css";
import { digits, milliseconds } from "./points.js";
import { story } from "./story.js";

/** What a commit caused comes after it, for a while. */
const AGAIN_MS = 2_000;
const YOUNG_MS = 20_000;

/** The whole story of one commit. */
export function CommitPage({ position }: { position: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["commit", position],
    queryFn: ({ signal }) => stoa.client(SystemService).getCommit({ position }, { signal }),
    refetchInterval: ({ state }) => (isYoung(state.data?.commit) ? AGAIN_MS : false),
    staleTime: YOUNG_MS,
  });
  return (
    <Page title={`Commit ${position}`} tools={<Copy text={position} label="Copy the position" />}>
      {error ? <Failed {...failure(error)} retry={() => void refetch()} /> : null}
      {data?.commit ? (
        <Story reply={data} commit={data.commit} />
      ) : error ? null : (
        <Waiting lines={6} />
      )}
    </Page>
  );
}

function isYoung(commit: Commit | undefined): boolean {
  if (commit?.time === undefined) return false;
  return Date.now() - timestampDate(commit.time).getTime() < YOUNG_MS;
}

function Story({ reply, commit }: { reply: GetCommitResponse; commit: Commit }) {
  const { steps, durable, end } = useMemo(() => {
    // Services have colours in the order in which they come: few are told apart by more than that.
    const met: string[] = [];
    return story(reply, (service) => {
      if (!met.includes(service)) met.push(service);
      return met.indexOf(service);
    });
  }, [reply]);
  const { tables, touched } = commit;
  return (
    <div className={css.story}>
      <div className={css.course}>
        <section>
          <Waterfall
            label="How it went"
            steps={steps}
            break={durable}
            end={end}
            breakLabel={reply.timeline ? "durable" : "ended"}
            format={(us) => milliseconds(us / 1000)}
          />
          <About timeline={reply.timeline} />
        </section>
        <section>
          <h2>What it wrote</h2>
          {tables.length === 0 ? <p className={css.quiet}>No rows.</p> : null}
          <ul className={css.tables}>
            {tables.map(({ table, rows }) => (
              <li key={table}>
                <code>{table}</code>
                <span>{counted(rows, "row")}</span>
              </li>
            ))}
          </ul>
        </section>
        <section>
          <h2>What it touched</h2>
          {touched.length === 0 ? <p className={css.quiet}>Nothing by name.</p> : null}
          <ul>
            {touched.map((key) => (
              <li key={key}>
                <Touched name={key} />
              </li>
            ))}
          </ul>
        </section>
      </div>
      <Facts commit={commit} />
    </div>
  );
}

/** What is kept of how it went, in words. */
function About({ timeline }: { timeline: Timeline | undefined }) {
  if (timeline === undefined) {
    return (
      <p className={css.quiet}>
        How it went is not known any more, or another node made it: a node keeps that in memory, of
        its last commits and of those that took 50 ms or more.
      </p>
    );
  }
  const { commands, leftOut, node } = timeline;
  const shared =
    commands > 1n ? ` in one transaction with ${digits(Number(commands) - 1)} more` : "";
  const more = leftOut > 0n ? ` ${counted(leftOut, "more part")} not kept.` : "";
  return (
    <p className={css.quiet}>
      Made by {node}
      {shared}.{more}
    </p>
  );
}

/** Who, why, and what it belongs to. */
function Facts({ commit }: { commit: Commit }) {
  const { time, method, cause, caller, trace } = commit;
  const when = time === undefined ? "" : moment(timestampDate(time).toISOString());
  return (
    <aside className={css.facts} aria-label="About the commit">
      <dl>
        <Fact name="when">{when}</Fact>
        <Fact name="method">{method ? <MethodLink path={method} /> : "none"}</Fact>
        <Fact name="who">
          <code title={caller}>{caller.replaceAll(/[a-z]+_[0-9a-z]{20,}/g, short)}</code>
        </Fact>
        <Fact name="why">
          <Cause cause={cause} />
        </Fact>
        <Fact name="trace">
          {trace ? (
            <Link
              to="/operate/{-$part}"
              params={{ part: "commits" }}
              search={{ filter: { trace } }}
            >
              <code>{trace}</code>
            </Link>
          ) : (
            "none was sent"
          )}
        </Fact>
      </dl>
    </aside>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** What led to a commit; an event leads to the commit that it is of. */
function Cause({ cause }: { cause: string }) {
  const position = /^event:(p\w+)\.\d+$/.exec(cause)?.[1];
  if (position === undefined) return <code>{cause.replace(/[a-z]+_[0-9a-z]{20,}/, short)}</code>;
  return (
    <Link to="/operate/commits/$position" params={{ position }}>
      <code>{cause}</code>
    </Link>
  );
}

/** What a commit touched, and the way to it. */
function Touched({ name }: { name: string }) {
  const { byPrefix } = useKnown();
  const [kind, id = ""] = name.split("/");
  const collection = byPrefix.get(prefixOf(id) ?? "");
  const shown = <code title={name}>{`${kind}/${short(id)}`}</code>;
  if (collection === undefined) return shown;
  const { service, name: of } = collection;
  return (
    <Link to="/data/$service/$name" params={{ service, name: of }} search={{ open: id }}>
      {shown}
    </Link>
  );
}

function counted(number: bigint, what: string): string {
  return `${number.toLocaleString()} ${what}${number === 1n ? "" : "s"}`;
}
