import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Commit, GetCommitResponse, Span } from "@stoa/sdk/system";
import type { Step } from "@stoa/ui";
import { say } from "../strings.js";
import { nameOf } from "../values.js";
import { milliseconds } from "./points.js";

/** A commit's story on one axis, in microseconds since it was asked for. */
export interface Story {
  steps: Step[];
  /** When it was durable. */
  durable: number;
  /** When the last of what it caused ended, as far as that is known. */
  end: number;
}

const WORDS: Record<string, string> = {
  checks: say.commit.checks,
  queue: say.commit.queue,
  turn: say.commit.turn,
  record: say.commit.record,
  batch: say.commit.batch,
  disk: say.commit.disk,
};

/** Parts that did nothing for this commit but wait. */
const WAITS = ["queue", "turn", "batch"];

/** Tells a commit as steps; what `colour` says of a service is its own everywhere. */
export function story(
  { commit, caused, timeline }: GetCommitResponse,
  colour: (service: string) => number,
): Story {
  if (commit === undefined) return { steps: [], durable: 0, end: 0 };
  const took = Number(commit.durationUs);
  const spans = timeline?.spans ?? [];
  const whole = spans.find(({ kind }) => kind === "request");
  const durable = whole === undefined ? Math.max(took, 1) : Number(whole.durationUs);
  // The commit's own time is that at which its command began.
  const began = Number(spans.find(({ kind }) => kind === "command")?.startUs ?? 0n);
  const own = commit.method;
  const told = spans.length > 0 ? nested(spans, own, colour) : [commandOf(commit, colour)];
  const after = [
    ...commit.events.map(({ ordinal, topic }) => ({
      id: `event ${ordinal}`,
      label: say.commit.event(topic),
      depth: 1,
      start: durable,
      took: 0,
      note: "",
      colour: colour(topic.split(".")[0] ?? ""),
      kind: "mark" as const,
    })),
    ...commit.jobs.map(({ id, method, state, attempts, error }) => ({
      id,
      label: say.commit.job(nameOf(method)),
      title: error,
      depth: 1,
      start: durable,
      took: 0,
      note: say.commit.jobNote(state, attempts),
      colour: colour(serviceOf(method)),
      kind: "mark" as const,
    })),
    ...caused.map((one) => causedBy(one, commit, began, colour)),
  ];
  const ends = after.map(({ start, took }) => (start ?? 0) + took);
  return { steps: [...told, ...after], durable, end: Math.max(durable, ...ends) };
}

function causedBy(
  one: Commit,
  commit: Commit,
  began: number,
  colour: (service: string) => number,
): Step {
  const { time, durationUs, method, cause, position } = one;
  const away =
    time === undefined || commit.time === undefined
      ? undefined
      : micros(time) - micros(commit.time);
  return {
    id: `commit ${position}`,
    label: nameOf(method) || position,
    title: `${position}, ${cause}`,
    depth: 1,
    start: away === undefined ? undefined : began + away,
    took: Number(durationUs),
    note: milliseconds(Number(durationUs) / 1000),
    colour: colour(serviceOf(method)),
  };
}

function micros({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000_000 + nanos / 1000;
}

/** All that is known of a command whose course is known no more. */
function commandOf({ method, durationUs }: Commit, colour: (service: string) => number): Step {
  return {
    id: "command",
    label: nameOf(method) || say.commit.noMethod,
    depth: 1,
    start: 0,
    took: Number(durationUs),
    note: milliseconds(Number(durationUs) / 1000),
    colour: colour(serviceOf(method)),
  };
}

/** The parts of a request; statements that follow one another are one step until somebody looks. */
function nested(spans: readonly Span[], own: string, colour: (service: string) => number): Step[] {
  const steps: Step[] = [];
  const of = [own];
  spans.forEach((span, place) => {
    if (span.kind === "request") return;
    const depth = Number(span.depth);
    if (span.kind === "call") of[depth - 1] = span.name;
    const service = colour(serviceOf(of[span.kind === "statement" ? depth - 2 : depth - 1] ?? own));
    if (span.kind !== "statement") {
      steps.push({ ...stepOf(span, place, own), ...(isWork(span) ? { colour: service } : {}) });
      return;
    }
    const before = steps.at(-1);
    const isSame = before?.folded !== undefined && before.depth === depth;
    const statement = { ...stepOf(span, place, own), depth: depth + 1, colour: service };
    if (isSame) {
      before.folded?.push(statement);
      before.took = (statement.start ?? 0) + statement.took - (before.start ?? 0);
    } else {
      steps.push({ ...statement, id: `statements ${place}`, depth, folded: [statement] });
    }
  });
  return steps.map((step) => {
    if (step.folded === undefined) return step;
    const count = step.folded.length;
    const spent = step.folded.reduce((sum, { took }) => sum + took, 0);
    const { title: _, ...rest } = step;
    return { ...rest, label: say.commit.statements(count), note: milliseconds(spent / 1000) };
  });
}

function isWork({ kind }: Span): boolean {
  return kind === "command" || kind === "call";
}

function stepOf(span: Span, place: number, own: string): Step {
  const { kind, name, rows } = span;
  const took = Number(span.durationUs);
  const spent = milliseconds(took / 1000);
  const label =
    kind === "command"
      ? nameOf(own)
      : kind === "statement"
        ? sql(name)
        : (WORDS[kind] ?? nameOf(name));
  return {
    id: `${kind} ${place}`,
    label,
    ...(name === "" ? {} : { title: name }),
    depth: Number(span.depth),
    start: Number(span.startUs),
    took,
    note: rows === 0n ? spent : say.commit.changed(spent, rows),
    kind: WAITS.includes(kind) ? "wait" : "work",
  };
}

/** What a statement does, and to which table. */
export function sql(text: string): string {
  const [verb = ""] = /^\s*\w+/.exec(text) ?? [];
  const table = /\b(?:from|into|update)\s+([a-z_]+)/i.exec(text)?.[1] ?? "";
  return `${verb.trim().toUpperCase()} ${table}`.trim();
}

/** The service of a method, by its path. */
export function serviceOf(path: string): string {
  return path.split("/")[0]?.split(".").at(-3) ?? "";
}
