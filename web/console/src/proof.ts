import { useSyncExternalStore } from "react";

/** Told whether somebody proved who they are. */
export type Told = (isProved: boolean) => void;

let waiting: Told | undefined;
const watching = new Set<() => void>();

/**
 * Has whoever is there prove again who they are, in the dialogue that the frame shows for it. Calls ask for
 * it by themselves where the node wants a proof of a moment ago, and go on where they were.
 */
export function prove(): Promise<boolean> {
  return new Promise((resolve) => {
    wait((isProved) => {
      wait(undefined);
      resolve(isProved);
    });
  });
}

/** Who is to be told, while somebody is asked. */
export function useWaiting(): Told | undefined {
  return useSyncExternalStore(watch, () => waiting);
}

function wait(told: Told | undefined): void {
  waiting = told;
  for (const look of watching) look();
}

function watch(look: () => void): () => void {
  watching.add(look);
  return () => watching.delete(look);
}
