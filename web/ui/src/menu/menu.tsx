import { ChevronDown } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";

import { Button } from "../button/button.js";
import css from "./menu.module.css";

interface Props {
  title: string;
  /** Given what closes it. */
  children: (close: () => void) => ReactNode;
}

/** A button that opens a few choices below it, until one is made elsewhere. */
export function Menu({ title, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const whole = useRef<HTMLDivElement>(null);
  const close = () => setOpen(false);
  useEffect(() => {
    if (!isOpen) return;
    whole.current?.querySelector<HTMLElement>("[data-menu] :is(input, button)")?.focus();
    const leave = (event: Event) => {
      if (event.target instanceof Node && !whole.current?.contains(event.target)) setOpen(false);
    };
    const dismiss = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      whole.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", leave);
    document.addEventListener("focusin", leave);
    document.addEventListener("keydown", dismiss);
    return () => {
      document.removeEventListener("pointerdown", leave);
      document.removeEventListener("focusin", leave);
      document.removeEventListener("keydown", dismiss);
    };
  }, [isOpen]);
  return (
    <div ref={whole} className={css.menu}>
      <Button small aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        {title}
        <ChevronDown size={14} aria-hidden />
      </Button>
      {isOpen ? (
        <fieldset id={id} className={css.panel} data-menu aria-label={title}>
          {children(close)}
        </fieldset>
      ) : null}
    </div>
  );
}

/** One of several that can be on or off. */
export function Check(props: { label: string; isOn: boolean; onChange: (isOn: boolean) => void }) {
  const { label, isOn, onChange } = props;
  return (
    <label className={css.item}>
      <input type="checkbox" checked={isOn} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

/** One thing to do. */
export function Item({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" className={css.item} onClick={onClick}>
      {children}
    </button>
  );
}
