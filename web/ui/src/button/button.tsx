import type { ButtonHTMLAttributes, ReactNode } from "react";

import css from "./button.module.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary` is the one thing that a screen is for; `danger` loses something. */
  kind?: "plain" | "primary" | "quiet" | "danger";
  small?: boolean;
  /** What it is called where it shows nothing but an icon. */
  label?: string;
  children: ReactNode;
}

export function Button({ kind = "plain", small = false, label, className, ...rest }: Props) {
  const classes = [css.button, kind === "plain" ? "" : css[kind], small ? css.small : ""];
  if (label !== undefined) classes.push(css.icon);
  return (
    <button
      type="button"
      className={[...classes, className].filter(Boolean).join(" ")}
      {...(label === undefined ? {} : { "aria-label": label, title: label })}
      {...rest}
    />
  );
}
