import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Button, Dialog, Failed } from "@stoa/ui";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";

import { failure } from "../node.js";
import { When } from "../pages/shared.js";
import { say } from "../strings.js";
import css from "./account.module.css";

/** What the account's own queries are known by: after each change all of them are asked anew. */
export const OWN = "own";

/** Does something to the account, and shows what came of it. */
export function useAct<T = void>(act: (of: T) => Promise<unknown>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => queries.invalidateQueries({ queryKey: [OWN] }),
  });
}

interface SectionProps {
  title: string;
  about?: ReactNode;
  tools?: ReactNode;
  /** Why what its tools did failed. */
  error?: Error | null;
  children: ReactNode;
}

/** A part of the account, with rows below. */
export function Section({ title, about, tools, error, children }: SectionProps) {
  const id = useId();
  return (
    <section className={css.section} aria-labelledby={id}>
      <div className={css.head}>
        <h2 id={id}>{title}</h2>
        {tools}
      </div>
      {about ? <p className={css.about}>{about}</p> : null}
      {error ? <Failed {...failure(error)} /> : null}
      <ul className={css.rows}>{children}</ul>
    </section>
  );
}

interface RowProps {
  icon?: ReactNode;
  name: ReactNode;
  detail?: ReactNode;
  error?: Error | null;
  /** What can be done. */
  children?: ReactNode;
}

/** One thing of the account: what it is, and what can be done to it. */
export function Row({ icon, name, detail, error, children }: RowProps) {
  return (
    <li className={css.row}>
      {icon}
      <div className={css.what}>
        <div className={css.name}>{name}</div>
        {detail ? <div className={css.detail}>{detail}</div> : null}
      </div>
      <div className={css.acts}>{children}</div>
      {error ? <Failed {...failure(error)} /> : null}
    </li>
  );
}

/** When something was last used, if ever. */
export function Used({ time }: { time: Timestamp | undefined }) {
  if (time === undefined) return say.own.unused;
  return (
    <>
      {say.own.used} <When time={time} />
    </>
  );
}

export function None({ children }: { children: ReactNode }) {
  return <li className={css.none}>{children}</li>;
}

interface RemoveProps {
  /** On the button. */
  verb: string;
  /** What is asked back, and what follows. */
  title: string;
  lead: string;
  act: () => Promise<unknown>;
}

/** Takes something away, after it was asked back. */
export function Remove({ verb, title, lead, act }: RemoveProps) {
  const [isAsked, ask] = useState(false);
  const acting = useAct(act);
  const close = () => ask(false);
  return (
    <>
      <Button small kind="danger" aria-label={`${verb}: ${title}`} onClick={() => ask(true)}>
        {verb}
      </Button>
      {isAsked ? (
        <Dialog title={title} lead={lead} onClose={close}>
          {acting.error ? <Failed {...failure(acting.error)} /> : null}
          <div className={css.foot}>
            <Button onClick={close}>{say.own.keep}</Button>
            <Button
              kind="danger"
              disabled={acting.isPending}
              onClick={() => acting.mutate(undefined, { onSuccess: close })}
            >
              {verb}
            </Button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
