import type { JsonObject } from "@bufbuild/protobuf";
import { State } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { methodOf } from "../contracts/load.js";
import { Page } from "../frame/page.js";
import { type Known, useKnown } from "../known.js";
import { call } from "../node.js";
import { Events } from "../operate/events.js";
import { Recent } from "../operate/recent.js";
import { say } from "../strings.js";
import css from "./home.module.css";
import { Start } from "./start.js";

/** What needs a person, and then what happens. */
export function Home() {
  return (
    <Page title={say.frame.home}>
      <div className={css.home}>
        <Attention />
        <Start />
        <Recent />
        <section className={css.events} aria-label={say.home.happens}>
          <Events />
        </section>
      </div>
    </Page>
  );
}

interface Need {
  count: number;
  text: string;
  part: "jobs" | "subscriptions" | "parked";
  filter?: { [name: string]: string };
}

function Attention() {
  const known = useKnown();
  const { data } = useQuery({
    queryKey: ["needs"],
    queryFn: () => needs(known),
    refetchInterval: 10_000,
  });
  if (data === undefined) return <div className={css.attention} />;
  if (data.length === 0) {
    return (
      <div className={css.attention}>
        <State mood="good">{say.home.fine}</State>
      </div>
    );
  }
  return (
    <ul className={css.attention} aria-label={say.home.needs}>
      {data.map(({ text, part, filter }) => (
        <li key={text}>
          <State mood="bad">
            <Link to="/operate/{-$part}" params={{ part }} search={filter ? { filter } : {}}>
              {text}
            </Link>
          </State>
        </li>
      ))}
    </ul>
  );
}

/** What does not go on by itself. */
async function needs({ contracts, may }: Known): Promise<Need[]> {
  const list = async (name: string, field: string, request: JsonObject): Promise<JsonObject[]> => {
    const method = methodOf(contracts, "system", name);
    if (method === undefined || !may(method)) return [];
    const { json } = await call(contracts, method, request);
    return ((json as JsonObject)[field] ?? []) as JsonObject[];
  };
  const [dead, parked, subscriptions] = await Promise.all([
    list("ListJobs", "jobs", { state: "dead" }),
    list("ListParked", "parked", {}),
    list("ListSubscriptions", "subscriptions", {}),
  ]);
  const lost = subscriptions.filter(({ state }) => state === "lost");
  const needs: Need[] = [
    {
      count: dead.length,
      text: say.home.deadJobs(dead.length),
      part: "jobs",
      filter: { state: "dead" },
    },
    { count: parked.length, text: say.home.parkedEvents(parked.length), part: "parked" },
    { count: lost.length, text: say.home.lostSubscriptions(lost.length), part: "subscriptions" },
  ];
  return needs.filter(({ count }) => count > 0);
}
