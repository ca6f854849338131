import { useState } from "react";

import { type Outcome, toEach } from "./each.js";

export interface Bulk {
  picked: ReadonlySet<string>;
  pick: (key: string, isPicked: boolean) => void;
  pickAll: (keys: readonly string[]) => void;
  isAtWork: boolean;
  outcome: Outcome | undefined;
  run: (act: (key: string) => Promise<unknown>) => Promise<void>;
}

/** What is picked of what is there, and what becomes of it. What failed stays picked, if it is there still. */
export function useBulk(keys: readonly string[], then: () => void): Bulk {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const picked = new Set(keys.filter((key) => chosen.has(key)));
  const [isAtWork, setAtWork] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  return {
    picked,
    isAtWork,
    outcome,
    pick: (key, isPicked) => {
      const next = new Set(picked);
      if (isPicked) next.add(key);
      else next.delete(key);
      setChosen(next);
    },
    pickAll: (keys) => setChosen(new Set(keys)),
    run: async (act) => {
      setAtWork(true);
      const { failed } = await toEach([...picked], act, setOutcome);
      setChosen(new Set(failed.map(({ key }) => key)));
      setAtWork(false);
      then();
    },
  };
}
