import { type ReactNode, useId } from "react";

import css from "./field.module.css";

interface Props {
  label: string;
  /** Whether the label is a name out of a contract. */
  isName?: boolean;
  /** The rule, shown before it is broken. */
  rule?: string | undefined;
  help?: ReactNode;
  /** What is wrong, and what to do. */
  error?: string | undefined;
  /** The control, given the ids that tie it to its label and words. */
  children: (ties: Ties) => ReactNode;
}

/** What ties a control to its label, help and error. */
export interface Ties {
  id: string;
  className: string | undefined;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean;
}

/** A control with its label, its rule, its help, and its error. */
export function Field({ label, isName = false, rule, help, error, children }: Props) {
  const id = useId();
  const words = [help ? `${id}-help` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return (
    <div className={css.field}>
      <div className={css.head}>
        <label htmlFor={id} className={isName ? css.name : css.label}>
          {label}
        </label>
        {rule ? <span className={css.rule}>{rule}</span> : null}
      </div>
      {children({
        id,
        className: css.input,
        "aria-describedby": words || undefined,
        "aria-invalid": error !== undefined,
      })}
      {error ? (
        <p id={`${id}-error`} className={css.error}>
          {error}
        </p>
      ) : null}
      {help ? (
        <p id={`${id}-help`} className={css.help}>
          {help}
        </p>
      ) : null}
    </div>
  );
}

/** The look of a control that stands without a label of its own. */
export const input = css.input ?? "";
