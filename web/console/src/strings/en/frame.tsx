import type { ReactNode } from "react";

/** What surrounds every page, and the door before it. */
export const frame = {
  places: "Places",
  home: "Home",
  explore: "Explore",
  data: "Data",
  operate: "Operate",
  people: "People",
  product: "stoa",
  search: "Search",
  searchOrJump: "Search or jump to…",
  searchKey: "Ctrl K",
  searchFor: "Search or jump to",
  searchExample: "A method, a list, somebody, or an identifier",
  found: "Found",
  foundNothing: "Nothing is called that.",
  kinds: { place: "place", list: "list", action: "action", user: "user", open: "open" },
  newOne: (what: string) => `New ${what}`,
  commit: (position: string) => `Commit ${position}`,
  account: "Your account",
  signOut: "Sign out",
  ready: "ready",
  notReady: "not ready",
  notReached: "not reached",
  unknown: "…",
  broken: "This page failed.",
  missing: "Nothing here",
  missingNext: (home: ReactNode) => <>This address leads nowhere. {home}, or search with Ctrl K.</>,
  goHome: "Go home",
  nothingOfThatName: "This node has nothing of that name.",
};

/** What goes wrong on this side of the node. */
export const failures = {
  notKept: "The browser did not keep the session",
  notKeptNext: "Open the console by HTTPS, or on the node's own machine as localhost.",
  away: "Look whether the node runs, then try again.",
  unproved: {
    title: "It was not done: you did not prove who you are.",
    next: "Do it again, and answer what is asked.",
  },
  /** What a browser says that was asked for a passkey, by the name of the error. */
  passkeys: {
    AbortError: { title: "No passkey was used.", next: "Try again, or choose another way." },
    NotAllowedError: { title: "No passkey was used.", next: "Try again, or choose another way." },
    InvalidStateError: {
      title: "This device has a passkey of yours already.",
      next: "Use that one, or another device.",
    },
    SecurityError: {
      title: "Passkeys are not of this address.",
      next: "Open the console at the address that the setting `passkey_origins` of auth names.",
    },
  } as Partial<Record<string, { title: string; next: string }>>,
  withoutAuth: "This node runs without the service `auth`",
  triedAgain: "It is tried again by itself.",
  needs: (permission: string) =>
    `This needs the permission ${permission}: ask an administrator for a role that has it.`,
};
