import type { ReactNode } from "react";

import { counted } from "./counted.js";

/** An account. */
export const account = {
  about: (kind: string, currency: string) => `${kind} account in ${currency}`,
  all: "All accounts",
  house: "the house",
  noFloor: "none",
  facts: {
    balance: "balance",
    held: "held",
    available: "available",
    floor: "floor",
    owner: "owner",
    opened: "opened",
  },
  none: "No entry yet: nothing was moved to or from this account.",
  wholeTime: "All of the time",
  statement: "Statement",
  balance: "balance",
  time: "when it is true",
  transfer: "transfer",
  description: "what for",
  debit: "debit",
  credit: "credit",
};

/** The books as a whole. */
export const books = {
  title: "trial balance",
  about: "What all accounts hold, by currency and kind. Debits and credits are equal.",
  none: "No account holds anything yet.",
  balanced: "balanced",
  broken: "debits and credits differ: the books are broken",
  kind: "kind",
  debit: "debit",
  credit: "credit",
  inAll: "in all",
};

/** What somebody was told. */
export const inbox = {
  title: "inbox",
  about: "What you were told. Others have inboxes of their own, which nobody else reads.",
  none: "Nobody told you anything yet.",
  unread: (count: number) => `${count.toLocaleString()} unread`,
  readAll: "Mark all as read",
  read: "Mark as read",
  furtherBack: "Look further back",
};

/** Mail that was not sent. */
export const mailbox = {
  title: "mailbox",
  about: "Mail that a node without a mail server would have sent.",
  none: "Nothing is here. A node without a mail server keeps what it would send; with one, mail is on its way.",
  label: "Mail",
  facts: { to: "to", about: "about", made: "made" },
  copy: "Copy the text",
};

/** An order. */
export const order = {
  title: (id: string) => `order ${id}`,
  cancel: "Cancel order",
  states: { unknown: "unknown", placed: "placed", cancelled: "cancelled" },
  facts: {
    state: "state",
    total: "total",
    customer: "customer",
    charged: "charged by",
    reversed: "reversed by",
    bought: "bought",
  },
  lines: (location: string) => `What was bought, from ${location}`,
  sku: "SKU",
  quantity: "quantity",
  each: "each",
  amount: "amount",
  inAll: "in all",
  story: "Its story",
  tooOld: "It is older than the commits that were looked through.",
  noCommit: "No commit that is kept names it.",
  itself: "The node itself",
  told: (method: ReactNode, caller: ReactNode, time: ReactNode) => (
    <>
      {method} by {caller}, {time}
    </>
  ),
  changed: "What changed in one commit",
  rows: (service: ReactNode, rows: number) => (
    <>
      {service} {counted(rows, "row")}
    </>
  ),
  event: "event",
  job: "job",
};

/** Goods. */
export const stock = {
  title: "stock",
  about: "What is there of each SKU, and what of it is promised.",
  none: (receive: ReactNode) => <>Nothing is there yet. {receive} puts them here.</>,
  receiveGoods: "Receive goods",
  label: "Stock",
  act: (verb: string, sku: string, location: string) => `${verb} ${sku} at ${location}`,
  sku: "SKU",
  location: "location",
  state: "state",
  inStock: "in stock",
  noneLeft: "none left",
  available: "available",
  reserved: "reserved",
  inAll: "in all",
  changed: "changed",
  toDo: "to do",
  receive: "Receive",
  issue: "Issue",
};
