import type { JsonObject } from "@bufbuild/protobuf";
import { SystemService } from "@stoa/sdk/system";
import { useEffect, useState } from "react";

import { useKnown } from "../known.js";
import { type Failure, failure, stoa } from "../node.js";
import { told } from "./told.js";

/** An event of the log, as pages show it. */
export interface Happened {
  key: string;
  position: string;
  topic: string;
  subject: string;
  /** What it says, if its contract is known here. */
  said: JsonObject | undefined;
  /** When it came here. */
  time: string;
}

export interface Following {
  events: Happened[];
  /** Whether the log is being listened to. */
  isOpen: boolean;
  failed: Failure | undefined;
}

/** As many as are kept on a page. */
const KEPT = 1_000;
const AGAIN_MS = 2_000;

/** Follows what happens from now on, also over a connection that was lost, unless it pauses. */
export function useEvents(isPaused: boolean): Following {
  const { contracts } = useKnown();
  const [state, setState] = useState<Following>({ events: [], isOpen: false, failed: undefined });
  useEffect(() => {
    if (isPaused) return;
    const stop = new AbortController();
    const { signal } = stop;
    const listen = async (from: string): Promise<void> => {
      let position = from;
      try {
        const batches = stoa
          .client(SystemService)
          .followEvents({ position, heartbeatSeconds: 5 }, { signal });
        for await (const batch of batches) {
          position = batch.position;
          const time = new Date().toISOString();
          const came = batch.events.map((event) => {
            const { position, ordinal, topic, subject } = event;
            const key = `${position}/${ordinal}`;
            return { key, position, topic, subject, said: told(contracts, event), time };
          });
          setState(({ events }) => ({
            events: [...came.reverse(), ...events].slice(0, KEPT),
            isOpen: true,
            failed: undefined,
          }));
        }
      } catch (thrown) {
        if (signal.aborted) return;
        setState((state) => ({ ...state, isOpen: false, failed: failure(thrown) }));
      }
      setTimeout(() => signal.aborted || void listen(position), AGAIN_MS);
    };
    void listen("");
    return () => stop.abort();
  }, [contracts, isPaused]);
  return state;
}
