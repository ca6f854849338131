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
  signIn: "Sign in",
  signInWith: (name: string) => `Sign in with ${name}`,
  signOut: "Sign out",
  login: "Handle or e-mail address",
  /** What a session of this browser is called among others. */
  session: "console",
  setUp: "Create the administrator",
  setUpVerb: "Create administrator",
  setUpLead: "This node is new. Whoever has its code becomes its administrator.",
  code: "Set-up code",
  codeHelp: "The node printed it as it started.",
  secondFactor: "One more step",
  secondFactorVerb: "Go on",
  secondFactorCode: "Code",
  secondFactorHelp: "The six digits that your program shows, or a recovery code.",
  letters: {
    signIn: {
      title: "Sign in",
      lead: "This link signs in, once.",
      verb: "Sign in",
    },
    newPassword: {
      title: "Choose another password",
      lead: "All sessions of yours end with it.",
      verb: "Set the password",
    },
    email: {
      title: "Your address",
      lead: "Say that the address which this link was sent to is yours.",
      verb: "It is mine",
    },
  },
  handle: "Handle",
  handleHelp: "A short name to sign in with: letters and digits, and . _ - between them.",
  email: "E-mail address",
  password: "Password",
  passwordHelp: "Ten characters or more.",
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
  withoutAuth: "This node runs without the service `auth`",
  triedAgain: "It is tried again by itself.",
  needs: (permission: string) =>
    `This needs the permission ${permission}: ask an administrator for a role that has it.`,
};
