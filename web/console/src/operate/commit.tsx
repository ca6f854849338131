import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Commit,
  type GetCommitResponse,
  SystemService,
  type Timeline,
} from "@stoa/sdk/system";
import { Copy, Failed, Waiting, Waterfall } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";

import { Page } from "../frame/page.js";
import { failure, stoa } from "../node.js";
import { say } from "../strings.js";
import { brief, moment } from "../values.js";
import { Said, Touched } from "./changed.js";
import { MethodLink } from "./methods.js";
import css from "./operate.module.css";
import { digits, milliseconds } from "./points.js";
import { story } from "./story.js";

/** What a commit caused comes after it, for a while. */
const AGAIN_MS = 2_000;
const YOUNG_MS = 20_000;

const route = getRouteApi("/operate/commits/$position");

/** The whole story of one commit. */
export function OneCommit() {
  const { position } = route.useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ["commit", position],
    queryFn: ({ signal }) => stoa.client(SystemService).getCommit({ position }, { signal }),
    refetchInterval: ({ state }) => (isYoung(state.data?.commit) ? AGAIN_MS : false),
    staleTime: YOUNG_MS,
  });
  return (
    <Page
      title={say.commit.title(position)}
      tools={<Copy text={position} label={say.commit.copy} />}
    >
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
  const { tables, touched, events, position } = commit;
  return (
    <div className={css.story}>
      <div className={css.course}>
        <section>
          <Waterfall
            label={say.commit.course}
            steps={steps}
            break={durable}
            end={end}
            breakLabel={reply.timeline ? say.commit.durable : say.commit.ended}
            format={(us) => milliseconds(us / 1000)}
          />
          <About timeline={reply.timeline} />
        </section>
        <section>
          <h2>{say.commit.wrote}</h2>
          {tables.length === 0 ? <p className={css.quiet}>{say.commit.noRows}</p> : null}
          <ul className={css.tables}>
            {tables.map(({ table, rows }) => (
              <li key={table}>
                <code>{table}</code>
                <span>{say.commit.rows(rows)}</span>
              </li>
            ))}
          </ul>
        </section>
        <section>
          <h2>{say.commit.touched}</h2>
          {touched.length === 0 ? <p className={css.quiet}>{say.commit.nothingTouched}</p> : null}
          {touched.map((name) => (
            <Touched key={name} name={name} position={position} />
          ))}
        </section>
        {events.length > 0 ? (
          <section>
            <h2>{say.commit.said}</h2>
            <Said events={events} />
          </section>
        ) : null}
      </div>
      <Facts commit={commit} />
    </div>
  );
}

/** What is kept of how it went, in words. */
function About({ timeline }: { timeline: Timeline | undefined }) {
  if (timeline === undefined) {
    return <p className={css.quiet}>{say.commit.unknown}</p>;
  }
  const { commands, leftOut, node } = timeline;
  const others = commands > 1n ? digits(Number(commands) - 1) : undefined;
  return <p className={css.quiet}>{say.commit.madeBy(node, others, leftOut)}</p>;
}

/** Who, why, and what it belongs to. */
function Facts({ commit }: { commit: Commit }) {
  const { time, method, cause, caller, trace } = commit;
  const when = time === undefined ? "" : moment(timestampDate(time).toISOString());
  return (
    <aside className={css.facts} aria-label={say.commit.about}>
      <dl>
        <Fact name={say.commit.when}>{when}</Fact>
        <Fact name={say.commit.method}>
          {method ? <MethodLink path={method} /> : say.commit.none}
        </Fact>
        <Fact name={say.commit.who}>
          <code title={caller}>{brief(caller)}</code>
        </Fact>
        <Fact name={say.commit.why}>
          <Cause cause={cause} />
        </Fact>
        <Fact name={say.commit.trace}>
          {trace ? (
            <Link
              to="/operate/{-$part}"
              params={{ part: "commits" }}
              search={{ filter: { trace } }}
            >
              <code>{trace}</code>
            </Link>
          ) : (
            say.commit.noTrace
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
  if (position === undefined) return <code>{brief(cause)}</code>;
  return (
    <Link to="/operate/commits/$position" params={{ position }}>
      <code>{cause}</code>
    </Link>
  );
}
