import { type ComponentType, type LazyExoticComponent, lazy } from "react";

import { first } from "../contracts/comments.js";
import type { Known } from "../known.js";
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
    title: "trial balance",
    about: "What all accounts hold, by currency and kind. Debits and credits are equal.",
    page: lazy(() => import("./trial.js")),
  },
  "inventory/stock": {
    title: "stock",
    about: "What is there of each SKU, and what of it is promised.",
    page: lazy(() => import("./stock.js")),
  },
  "notify/notifications": {
    title: "inbox",
    about: "What you were told. Others have inboxes of their own, which nobody else reads.",
    page: lazy(() => import("./inbox.js")),
  },
  "notify/mail": {
    title: "mailbox",
    about: "Mail that a node without a mail server would have sent.",
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
