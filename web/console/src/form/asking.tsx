import { Button, Failed, Field } from "@stoa/ui";
import { type FormEvent, type ReactNode, useState } from "react";

import { type Failure, failure } from "../node.js";
import { say } from "../strings.js";
import css from "./asking.module.css";

export type Said = { readonly [name: string]: string | undefined };

export interface Question {
  /** The field of the request. */
  name: string;
  label: string;
  /** What is answered before anybody answers. */
  value?: string;
  help?: ReactNode | ((said: Said) => ReactNode);
  /** Shown beside the answer, of what it is so far. */
  follow?: (value: string) => ReactNode;
  type?: "text" | "email" | "password";
  autoComplete?: string;
  /** Which keys a telephone shows. */
  inputMode?: "numeric" | "email";
  onFocus?: () => void;
}

interface Props {
  title?: string;
  lead?: ReactNode;
  verb: string;
  kind?: "primary" | "danger";
  questions: readonly Question[];
  /** Whether whoever comes here wants to answer at once. */
  isFocused?: boolean;
  /** Whether the answers are such that they can be sent. */
  isReady?: (said: Said) => boolean;
  act: (said: Said) => Promise<unknown>;
  /** Other ways, below. */
  children?: ReactNode | ((said: Said) => ReactNode);
}

/** Asks, and says at each question what is wrong with the answer. */
export function Asking(props: Props) {
  const { title, lead, verb, kind = "primary", questions, act, isReady, children } = props;
  const [said, setSaid] = useState<Said>(() =>
    Object.fromEntries(questions.map(({ name, value = "" }) => [name, value])),
  );
  const [wrong, setWrong] = useState<Failure>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setWrong(undefined);
    try {
      await act(said);
    } catch (thrown) {
      setWrong(failure(thrown));
    }
    setBusy(false);
  };
  const errorOf = (name: string) => {
    // Several may be answered at once: `permissions[0]` is at fault where `permissions` was asked.
    const violation = wrong?.violations.find(({ path }) => path.replace(/\[.*/, "") === name);
    return violation && `${capital(violation.message)}.`;
  };
  return (
    <form className={css.asking} onSubmit={(event) => void submit(event)} noValidate>
      {title ? <h1>{title}</h1> : null}
      {lead ? <p className={css.lead}>{lead}</p> : null}
      {questions.map(({ name, label, help, follow, value: _, ...rest }, place) => (
        <Field key={name} label={label} help={told(help, said)} error={errorOf(name)}>
          {(ties) => (
            <>
              <input
                {...ties}
                type="text"
                {...rest}
                // biome-ignore lint/a11y/noAutofocus: where somebody asked for what asks them
                autoFocus={props.isFocused === true && place === 0}
                value={said[name] ?? ""}
                onChange={(event) => setSaid({ ...said, [name]: event.target.value })}
              />
              {follow?.(said[name] ?? "")}
            </>
          )}
        </Field>
      ))}
      {wrong ? (
        <Failed
          title={wrong.title}
          next={wrong.violations.length > 0 ? say.explore.correct : wrong.next}
          reason={wrong.reason}
        />
      ) : null}
      <Button kind={kind} type="submit" disabled={isBusy || isReady?.(said) === false}>
        {verb}
      </Button>
      {told(children, said)}
    </form>
  );
}

function told(what: ReactNode | ((said: Said) => ReactNode), said: Said): ReactNode {
  return typeof what === "function" ? what(said) : what;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
