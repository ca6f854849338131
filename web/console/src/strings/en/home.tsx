import type { ReactNode } from "react";

import { counted } from "./counted.js";

/** More than so many are too many all the same. */
const MANY = 50;
const upTo = (count: number, what: string) =>
  count >= MANY ? `${MANY} or more ${what}s` : counted(count, what);

/** Where one begins. */
export const home = {
  happens: "What happens",
  fine: "Nothing needs you.",
  needs: "What needs you",
  deadJobs: (count: number) => upTo(count, "dead job"),
  parkedEvents: (count: number) => upTo(count, "parked event"),
  lostSubscriptions: (count: number) => upTo(count, "lost subscription"),
  tour: "Look around with a real shop",
  closeTour: "Close the tour",
  shop: "Eighteen months of a shop of compact discs: customers, stock, orders, books and inboxes. It can be loaded while there is nothing else here.",
  loadSome: (count: number) => `Load ${count.toLocaleString()} purchases`,
  loadAll: "Load all 69,659",
  loaded: "Purchases loaded",
  isLoaded: (count: number) => `${count.toLocaleString()} purchases are here.`,
  isLoading: (count: number, all: number) =>
    `${count.toLocaleString()} of ${all.toLocaleString()} purchases, each in one commit of four services`,
  best: "Find the best customer",
  bestAbout: "Accounts by what is owed on them: sorted by balance, the largest first.",
  story: "See one order's story",
  storyAbout: "What was bought, and all that changed in the same commit.",
  place: "Place an order",
  placeAbout: (open: ReactNode) => (
    <>The form is made of the contract. {open} and watch it appear.</>
  ),
  openOrders: "Open the orders in another window",
  start: "Start here",
  createUser: "Create a user",
  createUserAbout: "Somebody else who signs in; what they may is up to roles.",
  createKey: "Create an API key",
  createKeyAbout: "For a program that calls this node in your name.",
  openAccount: "Open an account",
  openAccountAbout: "The first line of the books, and the first commit to look at.",
};
