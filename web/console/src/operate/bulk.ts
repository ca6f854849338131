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

/** What is picked of a list, and what becomes of it. What failed stays picked. */
export function useBulk(then: () => void): Bulk {
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
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
      setPicked(next);
    },
    pickAll: (keys) => setPicked(new Set(keys)),
    run: async (act) => {
      setAtWork(true);
      const { failed } = await toEach([...picked], act, setOutcome);
      setPicked(new Set(failed.map(({ key }) => key)));
      setAtWork(false);
      then();
    },
  };
}
