import type { JsonObject } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { call } from "../node.js";
import css from "./home.module.css";

/** What to do first, each by one method. */
const STEPS = [
  [
    "users",
    "CreateUser",
    "Create a user",
    "Somebody else who signs in; what they may is up to roles.",
  ],
  ["auth", "CreateApiKey", "Create an API key", "For a program that calls this node in your name."],
  [
    "ledger",
    "CreateAccount",
    "Open an account",
    "The first line of the books, and the first commit to look at.",
  ],
] as const;

/** Three steps, for whoever is alone on a new node. */
export function Start() {
  const { contracts, may } = useKnown();
  const users = methodOf(contracts, "users", "ListUsers");
  const { data: isAlone } = useQuery({
    queryKey: ["alone"],
    queryFn: async () => {
      if (users === undefined || !may(users)) return false;
      const { json } = await call(contracts, users, { pageSize: 2 });
      return ((json as JsonObject).users as unknown[]).length === 1;
    },
  });
  if (isAlone !== true) return null;
  const steps = STEPS.filter(([service, name]) => methodOf(contracts, service, name) !== undefined);
  return (
    <section className={css.start} aria-labelledby="start">
      <h2 id="start">Start here</h2>
      <ol>
        {steps.map(([service, method, title, text]) => (
          <li key={method}>
            <Link to="/explore/$service/$method" params={{ service, method }}>
              {title}
            </Link>
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
