import { Check, Copy as Icon } from "lucide-react";
import { useEffect, useState } from "react";

import { Button } from "../button/button.js";
import { say } from "../strings.js";

/** Copies a text, and says for a moment that it did. */
export function Copy({ text, label = say.copy }: { text: string; label?: string }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), 1200);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = () => void navigator.clipboard.writeText(text).then(() => setDone(true));
  return (
    <Button kind="quiet" small label={isDone ? say.copied : label} onClick={copy}>
      {isDone ? <Check size={14} aria-hidden /> : <Icon size={14} aria-hidden />}
    </Button>
  );
}
