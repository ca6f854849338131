import { own } from "./strings/en/account.js";
import { data } from "./strings/en/data.js";
import { door, proof } from "./strings/en/door.js";
import { explore, form } from "./strings/en/explore.js";
import { failures, frame } from "./strings/en/frame.js";
import { home } from "./strings/en/home.js";
import { commit, events, jobs, load, logs, node, parked } from "./strings/en/operate.js";
import { account, books, inbox, mailbox, order, stock } from "./strings/en/pages.js";

const english = {
  account,
  books,
  commit,
  data,
  door,
  events,
  explore,
  failures,
  form,
  frame,
  home,
  inbox,
  jobs,
  load,
  logs,
  mailbox,
  node,
  order,
  own,
  parked,
  proof,
  stock,
};

/** What a catalogue has to say: another language is one more object of this type. */
export type Strings = typeof english;

/** What pages say, apart from what contracts and data do; parts have a few words in `@stoa/ui`. */
export const say: Strings = english;
