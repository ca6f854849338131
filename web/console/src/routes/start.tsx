import type { JsonObject } from "@bufbuild/protobuf";
import { Button, Failed } from "@stoa/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { type Method, methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { call, failure, follow } from "../node.js";
import { say } from "../strings.js";
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
        <h2 id="start">{say.home.tour}</h2>
        {isWhole ? (
          <Button small kind="quiet" onClick={leave}>
            {say.home.closeTour}
          </Button>
        ) : null}
      </div>
      {shop === undefined ? (
        <div className={css.load}>
          <p>{say.home.shop}</p>
          <div className={css.acts}>
            <Button
              kind="primary"
              disabled={loading.isPending}
              onClick={() => loading.mutate(SOME)}
            >
              {say.home.loadSome(SOME)}
            </Button>
            <Button disabled={loading.isPending} onClick={() => loading.mutate(0)}>
              {say.home.loadAll}
            </Button>
          </div>
        </div>
      ) : (
        <div className={css.progress}>
          <progress max={shop.purchases} value={shop.loaded} aria-label={say.home.loaded} />
          <span role="status">
            {isWhole
              ? say.home.isLoaded(shop.loaded)
              : say.home.isLoading(shop.loaded, shop.purchases)}
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
              {say.home.best}
            </Link>
          </Step>
          <span>{say.home.bestAbout}</span>
        </li>
        <li>
          <Step isOpen={shop !== undefined}>
            <Link to="/data/$service/$name" params={{ service: "orders", name: "orders" }}>
              {say.home.story}
            </Link>
          </Step>
          <span>{say.home.storyAbout}</span>
        </li>
        <li>
          <Step isOpen={shop !== undefined}>
            <Link
              to="/explore/$service/$method"
              params={{ service: "orders", method: "PlaceOrder" }}
              search={{ fill: { lines: [{ sku: "CD", quantity: "2" }], currency: "USD" } }}
            >
              {say.home.place}
            </Link>
          </Step>
          <span>
            {say.home.placeAbout(
              <Link
                to="/data/$service/$name"
                params={{ service: "orders", name: "orders" }}
                target="_blank"
              >
                {say.home.openOrders}
              </Link>,
            )}
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
  ["users", "CreateUser", say.home.createUser, say.home.createUserAbout],
  ["auth", "CreateApiKey", say.home.createKey, say.home.createKeyAbout],
  ["ledger", "CreateAccount", say.home.openAccount, say.home.openAccountAbout],
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
      <h2 id="start">{say.home.start}</h2>
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
