import type { JsonObject } from "@bufbuild/protobuf";
import { Button, Failed } from "@stoa/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { type Method, methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { call, failure, follow } from "../node.js";
import css from "./home.module.css";

/** Enough to look at, and there in a moment. */
const SOME = 1_000;
/** Whether somebody has seen enough of the tour. */
const SEEN = "stoa.tour";

/** The first minute on a node: a tour with real data where it has some, or what to do first. */
export function Start() {
  const { contracts, may } = useKnown();
  const get = methodOf(contracts, "sample", "GetShop");
  const load = methodOf(contracts, "sample", "LoadShop");
  if (get && load && may(get) && may(load)) return <Tour get={get} load={load} />;
  return <Steps />;
}

interface Sample {
  shop?: { purchases: number; loaded: number };
  canLoad: boolean;
}

function Tour({ get, load }: { get: Method; load: Method }) {
  const { contracts } = useKnown();
  const [sample, setSample] = useState<Sample>();
  const [isSeen, setSeen] = useState(() => localStorage.getItem(SEEN) !== null);
  useEffect(
    () => follow(contracts, get, {}, (json) => json && setSample(json as unknown as Sample)),
    [contracts, get],
  );
  const loading = useMutation({
    mutationFn: (purchases: number) => call(contracts, load, { purchases }),
  });
  if (sample === undefined) return null;
  const { shop, canLoad } = sample;
  if (shop === undefined && !canLoad) return <Steps />;
  if (isSeen) return null;
  const isWhole = shop !== undefined && shop.loaded >= shop.purchases;
  const leave = () => {
    localStorage.setItem(SEEN, "");
    setSeen(true);
  };
  return (
    <section className={css.start} aria-labelledby="start">
      <div className={css.tour}>
        <h2 id="start">Look around with a real shop</h2>
        {isWhole ? (
          <Button small kind="quiet" onClick={leave}>
            Close the tour
          </Button>
        ) : null}
      </div>
      {shop === undefined ? (
        <div className={css.load}>
          <p>
            Eighteen months of a shop of compact discs: customers, stock, orders, books and inboxes.
            It can be loaded while there is nothing else here.
          </p>
          <div className={css.acts}>
            <Button
              kind="primary"
              disabled={loading.isPending}
              onClick={() => loading.mutate(SOME)}
            >
              Load {SOME.toLocaleString()} purchases
            </Button>
            <Button disabled={loading.isPending} onClick={() => loading.mutate(0)}>
              Load all 69,659
            </Button>
          </div>
        </div>
      ) : (
        <div className={css.progress}>
          <progress max={shop.purchases} value={shop.loaded} aria-label="Purchases loaded" />
          <span role="status">
            {isWhole
              ? `${shop.loaded.toLocaleString()} purchases are here.`
              : `${shop.loaded.toLocaleString()} of ${shop.purchases.toLocaleString()} purchases, each in one commit of four services`}
          </span>
        </div>
      )}
      {loading.error ? <Failed {...failure(loading.error)} /> : null}
      <ol className={css.steps}>
        <li>
          <Step isOpen={shop !== undefined}>
            <Link
              to="/data/$service/$name"
              params={{ service: "ledger", name: "accounts" }}
              search={{ filter: { kind: "ACCOUNT_KIND_ASSET" }, sort: "-balance" }}
            >
              Find the best customer
            </Link>
          </Step>
          <span>Accounts by what is owed on them: sorted by balance, the largest first.</span>
        </li>
        <li>
          <Step isOpen={shop !== undefined}>
            <Link to="/data/$service/$name" params={{ service: "orders", name: "orders" }}>
              See one order's story
            </Link>
          </Step>
          <span>What was bought, and all that changed in the same commit.</span>
        </li>
        <li>
          <Step isOpen={shop !== undefined}>
            <Link
              to="/explore/$service/$method"
              params={{ service: "orders", method: "PlaceOrder" }}
              search={{ fill: { lines: [{ sku: "CD", quantity: "2" }], currency: "USD" } }}
            >
              Place an order
            </Link>
          </Step>
          <span>
            The form is made of the contract.{" "}
            <Link
              to="/data/$service/$name"
              params={{ service: "orders", name: "orders" }}
              target="_blank"
            >
              Open the orders in another window
            </Link>{" "}
            and watch it appear.
          </span>
        </li>
      </ol>
    </section>
  );
}

/** A step leads somewhere once there is something to see. */
function Step({ isOpen, children }: { isOpen: boolean; children: React.ReactElement }) {
  if (isOpen) return children;
  return <b>{(children.props as { children: React.ReactNode }).children}</b>;
}

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
function Steps() {
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
      <ol className={css.steps}>
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
