import type { JsonObject } from "@bufbuild/protobuf";
import { State } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { methodOf } from "../contracts/load.js";
import { Page } from "../frame/page.js";
import { type Known, useKnown } from "../known.js";
import { LoadCharts } from "../load/load.js";
import { call } from "../node.js";
import { Events } from "../operate/events.js";
import css from "./home.module.css";
import { Start } from "./start.js";

/** What needs a person, and then what happens. */
export function Home() {
  return (
    <Page title="Home">
      <div className={css.home}>
        <Attention />
        <Start />
        <LoadCharts />
        <section className={css.events} aria-label="What happens">
          <Events />
        </section>
      </div>
    </Page>
  );
}

interface Need {
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
        <State mood="good">Nothing needs you.</State>
      </div>
    );
  }
  return (
    <ul className={css.attention} aria-label="What needs you">
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
    { text: counted(dead.length, "dead job"), part: "jobs", filter: { state: "dead" } },
    { text: counted(parked.length, "parked event"), part: "parked" },
    { text: counted(lost.length, "lost subscription"), part: "subscriptions" },
  ];
  return needs.filter(({ text }) => text !== "");
}

/** A page of things is counted; more of them than that are too many all the same. */
function counted(count: number, what: string): string {
  if (count === 0) return "";
  return `${count >= 50 ? "50 or more" : count} ${what}${count === 1 ? "" : "s"}`;
}
