import { type ComponentType, type LazyExoticComponent, lazy } from "react";

import { first } from "../contracts/comments.js";
import type { Known } from "../known.js";
import { say } from "../strings.js";
import { words } from "../values.js";

/** A page made by hand for one of a kind, by its identifier. */
export type OfOne = LazyExoticComponent<ComponentType<{ id: string }>>;

/** A page made by hand in the place of the table that a contract makes, or beside it. */
export interface Place {
  title: string;
  /** What it is about, in a sentence. */
  about: string;
  page: LazyExoticComponent<ComponentType>;
}

/** Pages of one thing, by its list. */
export const ONES: { readonly [list: string]: OfOne } = {
  "ledger/accounts": lazy(() => import("./account.js")),
  "orders/orders": lazy(() => import("./order.js")),
};

/** Pages of their own, by service and name. What a node does not offer is not shown. */
export const PLACES: { readonly [place: string]: Place } = {
  "ledger/trial-balance": {
    title: say.books.title,
    about: say.books.about,
    page: lazy(() => import("./trial.js")),
  },
  "inventory/stock": {
    title: say.stock.title,
    about: say.stock.about,
    page: lazy(() => import("./stock.js")),
  },
  "notify/notifications": {
    title: say.inbox.title,
    about: say.inbox.about,
    page: lazy(() => import("./inbox.js")),
  },
  "notify/mail": {
    title: say.mailbox.title,
    about: say.mailbox.about,
    page: lazy(() => import("./mailbox.js")),
  },
};

/** Where one looks at what services keep: tables made of contracts, and pages made by hand. */
export interface Entry {
  service: string;
  name: string;
  title: string;
  about: string;
}

/** All of them, service by service. The node's own stand where it is operated. */
export function entries({ contracts, collections }: Known): Entry[] {
  const services = contracts.services.filter(({ name }) => name !== "system");
  return services.flatMap(({ name: service }) => {
    const made = Object.entries(PLACES)
      .filter(([path]) => path.startsWith(`${service}/`))
      .map(([path, { title, about }]) => ({
        service,
        name: path.replace(/^.*\//, ""),
        title,
        about,
      }));
    const listed = collections
      .filter((one) => one.service === service && !made.some(({ name }) => name === one.name))
      .map(({ name, items, item }) => ({
        service,
        name,
        title: words(items.name),
        about: first(contracts.comment(item)),
      }));
    return [...listed, ...made];
  });
}
