import { links } from "@stoa/ui";
import { type ReactNode, useEffect } from "react";

import css from "./frame.module.css";

interface Props {
  title: string;
  /** What it is about, in a sentence. */
  about?: ReactNode;
  /** What can be done here. */
  tools?: ReactNode;
  /** Links to the pages of the same place. */
  tabs?: ReactNode;
  children: ReactNode;
}

/** A page: what it is, what can be done, and then the thing itself. */
export function Page({ title, about, tools, tabs, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Stoa`;
  }, [title]);
  return (
    <div className={css.page}>
      <div className={css.head}>
        <h1>{title}</h1>
        {tools ? <div className={css.tools}>{tools}</div> : null}
        {about ? <p>{about}</p> : null}
        {tabs ? (
          <nav className={css.tabs} aria-label={title}>
            <div className={links.list}>{tabs}</div>
          </nav>
        ) : null}
      </div>
      <div className={css.content}>{children}</div>
    </div>
  );
}
