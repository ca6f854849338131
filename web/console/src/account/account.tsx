import { Empty, links } from "@stoa/ui";
import { Link } from "@tanstack/react-router";
import type { ComponentType } from "react";

import { Page } from "../frame/page.js";
import { say } from "../strings.js";
import css from "./account.module.css";
import { Devices } from "./devices.js";
import { Keys } from "./keys.js";
import { OwnData } from "./own-data.js";
import { Signing } from "./signing.js";

const PARTS: { readonly [part: string]: ComponentType } = {
  "sign-in": Signing,
  devices: Devices,
  keys: Keys,
  data: OwnData,
};

/** One's own account. */
export function Account({ part }: { part: string }) {
  const Part = PARTS[part];
  return (
    <Page
      title={say.frame.account}
      tabs={Object.entries(say.own.parts).map(([name, title]) => (
        <Link
          key={name}
          to="/account/{-$part}"
          params={{ part: name }}
          aria-current={name === part ? "page" : undefined}
          className={links.tab}
        >
          {title}
        </Link>
      ))}
    >
      {Part === undefined ? (
        <Empty>{say.frame.nothingOfThatName}</Empty>
      ) : (
        <div className={css.sections}>
          <Part />
        </div>
      )}
    </Page>
  );
}
