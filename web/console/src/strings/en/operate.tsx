import type { ReactNode } from "react";

import { counted } from "./counted.js";

/** So many of them, or what they are called where none is picked. */
const some = (count: number, one: string) => (count === 0 ? `${one}s` : counted(count, one));

const following = {
  paused: "paused",
  following: "following",
  connecting: "connecting",
  goOn: "Go on",
  pause: "Pause",
};

/** How a commit went, what it did and what came of it. */
export const commit = {
  title: (position: string) => `Commit ${position}`,
  copy: "Copy the position",
  course: "How it went",
  durable: "durable",
  ended: "ended",
  unknown:
    "How it went is not known any more, or another node made it: a node keeps that in memory, of its last commits and of those that took 50 ms or more.",
  madeBy: (node: string, others: string | undefined, leftOut: bigint) =>
    `Made by ${node}${others === undefined ? "" : ` in one transaction with ${others} more`}.${
      leftOut > 0n ? ` ${counted(leftOut, "more part")} not kept.` : ""
    }`,
  wrote: "What it wrote",
  noRows: "No rows.",
  rows: (count: bigint) => counted(count, "row"),
  said: "What it said",
  unknownEvent: "The contract of this event is not known here.",
  touched: "What it touched",
  nothingTouched: "Nothing by name.",
  untouchedSince: "As it is now: no commit has touched it since.",
  touchedSince: (last: ReactNode) => <>As it is now: others have touched it since, {last} last.</>,
  asItIs: "As it is now.",
  wholeHistory: "All of its history",
  about: "About the commit",
  when: "when",
  method: "method",
  who: "who",
  why: "why",
  trace: "trace",
  none: "none",
  noTrace: "none was sent",
  checks: "Checks: who asks, and what",
  queue: "Waits in the queue",
  turn: "Waits for its turn",
  record: "Record, events and jobs are written",
  batch: "Others of the same transaction run",
  disk: "Made durable",
  noMethod: "No method ran",
  event: (topic: string) => `Event ${topic}`,
  job: (method: string) => `Job ${method}`,
  jobNote: (state: string, attempts: bigint) => `${state}, ${counted(attempts, "attempt")}`,
  statements: (count: number) => counted(count, "statement"),
  changed: (took: string, rows: bigint) => `${took}, ${counted(rows, "row")}`,
};

/** Events as they happen. */
export const events = {
  ...following,
  filter: "filter",
  filterExample: "topic, subject, text",
  position: "Position of a commit",
  positionExample: "Position, p1f4",
  show: "Show commit",
  noMatch: (count: number) => `None of the last ${count} events match. Widen the filter.`,
  none: (make: ReactNode) => <>Events appear here as they happen. Make one happen: {make}.</>,
  makeOne: "write a note into the log",
  label: "Events",
  came: "came",
  topic: "topic",
  subject: "subject",
  says: "what it says",
  commit: "commit",
};

/** Jobs: what is to happen after commits. */
export const jobs = {
  label: "Jobs",
  retry: (count: number) => `Retry ${some(count, "job")}`,
  drop: (count: number) => `Drop ${some(count, "job")}`,
  dropLoses: "They will not run any more.",
  count: (count: number, hasMore: boolean) =>
    `${counted(count, "job")}${hasMore ? ", and more" : ""}`,
  anyState: "any",
  noneOf: (state: string) => `No job is ${state}.`,
  none: "No jobs yet. What a command has done after its commit, mail for example, is a job.",
  id: "id",
  method: "method",
  state: "state",
  attempts: "attempts",
  due: "due, or ended",
  error: "why it failed last",
  commit: "commit",
  behalf: "on behalf of",
  pickAll: "Pick all",
  pick: (name: string) => `Pick ${name}`,
  keep: "Keep",
  outcome: (done: number, all: number, failed: number) =>
    `${done} of ${all} done${failed === 0 ? "" : `, ${failed} failed`}`,
};

/** Events that could not be handled. */
export const parked = {
  label: "Parked",
  count: (count: number, hasMore: boolean) =>
    `${counted(count, "subject")}${hasMore ? ", and more" : ""}`,
  release: (count: number) => `Release ${some(count, "subject")}`,
  drop: (count: number) => `Drop the first event of ${some(count, "subject")}`,
  dropLoses: "It will not be handled any more.",
  none: "Nothing is parked. An event that fails three times stands aside here with its subject, and all other subjects go on.",
  subscription: "subscription",
  subject: "subject",
  events: "events",
  error: "why the first failed",
  released: "released",
  commit: "commit",
  time: "parked",
};

/** What a node did of late. */
export const load = {
  recent: "Calls, errors and latency of late",
  denied: "You may not see what the node does.",
  deniedNext:
    "This needs the permission system.metrics.read, in the main tenant: ask an administrator for a role that has it.",
  nothing:
    "Nothing is known of this span. A node keeps what it did in its own memory, from its start on and for a day; its first ten seconds are told once they are over.",
  span: "Span",
  now: "Back to now",
  node: "The node that answered: each node knows what it did itself",
  others: (names: string) => `without what ${names} did`,
  since: (time: ReactNode) => <>known since {time}</>,
  calls: "Calls",
  errors: "Errors",
  latency: "Latency",
  commits: "Commits",
  queries: "Queries",
  transaction: "Time of a transaction",
  batch: "Commits in a transaction",
  queue: "Commands that wait",
  conflicts: "Conflicts",
  log: "Write-ahead log",
  memory: "Memory",
  connections: "Connections",
  perSecond: (rate: string) => `${rate}/s`,
  methods: "Methods",
  sortBy: (column: string) => `Sort by ${column}`,
  columns: {
    method: "method",
    calls: "calls",
    rate: "per second",
    errors: "errors",
    p50: "p50",
    p99: "p99",
    total: "total time",
    share: "share",
  },
  itself: "The node itself",
};

/** What a node logged. */
export const logs = {
  ...following,
  label: "Lines",
  level: "level",
  anyLevel: "any",
  andWorse: (level: string) => `${level} and worse`,
  text: "text",
  trace: "trace",
  any: "any",
  node: "The node that answered",
  noMatch: "No lines match. Widen the filter.",
  none: "Nothing was logged yet. What the node logs is shown here as it comes.",
  line: (target: string) => `Line of ${target}`,
  when: "when",
  from: "from",
  noTrace: "none",
};

/** The node itself. */
export const node = {
  node: "node",
  since: "runs since",
  version: "version",
  engine: "stores in",
  engines: { sqlite: "SQLite", postgres: "PostgreSQL" },
  others: "other nodes",
  noOthers: "none",
  backup: "last backup",
  backedUp: (time: ReactNode, bytes: string, position: ReactNode) => (
    <>
      {time}, {bytes}, up to {position}
    </>
  ),
  noBackup: (command: ReactNode) => <>none is known; {command} makes one</>,
  backupCommand: "stoa backup",
  copyCommand: "Copy the command",
  byPostgres: "by the tools of PostgreSQL",
  configuration: "Configuration",
  configured: "configured",
  value: "value",
  source: "who says so",
  byDefault: "default",
};
