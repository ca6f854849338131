import type { Parked } from "@stoa/sdk/system";

import type { Happened } from "./follow.js";

/** A subject that stands aside for a subscription: its first event failed, the others wait behind. */
export interface Subject {
  key: string;
  first: Parked;
  events: number;
}

/** Events come in order, those of one subject behind one another. */
export function subjects(parked: readonly Parked[]): Subject[] {
  const all = new Map<string, Subject>();
  for (const event of parked) {
    const key = `${event.subscription} ${event.subject}`;
    const known = all.get(key);
    if (known === undefined) all.set(key, { key, first: event, events: 1 });
    else known.events++;
  }
  return [...all.values()];
}

/** Whether an event has some words in it. */
export function isAbout({ topic, subject, said }: Happened, words: string): boolean {
  const text = `${topic} ${subject} ${JSON.stringify(said ?? {})}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
