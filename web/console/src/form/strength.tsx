import { AuthService } from "@stoa/sdk/auth";
import { Meter } from "@stoa/ui";
import { useEffect, useState } from "react";

import { nobody } from "../node.js";
import { say } from "../strings.js";
import css from "./strength.module.css";

/** Shorter ones are refused, so that nothing is asked about them. */
const SHORTEST = 10;
/** How long somebody does not type before the node is asked, in milliseconds. */
const PAUSE = 250;

interface Strength {
  of: string;
  score: number;
  words: string;
}

/** How long a password would be guessed at, as the node reckons, and what would make it better. */
export function Strength({ password }: { password: string }) {
  const [known, setKnown] = useState<Strength>();
  useEffect(() => {
    if (password.length < SHORTEST) return;
    const stop = new AbortController();
    const ask = async () => {
      const auth = nobody.client(AuthService);
      const { signal } = stop;
      const { score, warning, suggestions } = await auth.checkPassword({ password }, { signal });
      setKnown({ of: password, score, words: [warning, ...suggestions].join(" ").trim() });
    };
    // Whoever cannot be told how good it is chooses all the same.
    const timer = setTimeout(() => void ask().catch(() => setKnown(undefined)), PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [password]);
  const shown = password.length < SHORTEST ? undefined : known;
  return (
    <div className={css.strength}>
      <Meter
        label={say.door.strength}
        value={shown?.score ?? 0}
        max={4}
        word={shown === undefined ? say.door.passwordHelp : (say.door.strengths[shown.score] ?? "")}
      />
      {shown?.words ? <p>{shown.words}</p> : null}
    </div>
  );
}
