import { Empty, Failed, Waiting } from "@stoa/ui";
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";

import { mailed } from "../door/mailed.js";
import { Frame } from "../frame/frame.js";
import { Page } from "../frame/page.js";
import { Knowing } from "../known.js";
import { failure, isSignedOut } from "../node.js";
import { say } from "../strings.js";

const Door = lazy(() => import("../door/door.js"));
const Letter = lazy(() => import("../door/letter.js"));

/** Every page, for whoever is signed in; for others the door, at the same address. Before both comes what a
 * link by mail is for. */
export function Root() {
  const [link, setLink] = useState(() => mailed(location.hash));
  if (link !== undefined) {
    const done = () => {
      history.replaceState(null, "", location.pathname);
      setLink(undefined);
    };
    return (
      <Suspense>
        <Letter link={link} done={done} />
      </Suspense>
    );
  }
  return (
    <Knowing
      waiting={<Waiting lines={6} />}
      failed={(error, retry) =>
        isSignedOut(error) ? (
          <Suspense>
            <Door />
          </Suspense>
        ) : (
          <Failed {...failure(error)} retry={retry} />
        )
      }
    >
      <Frame />
    </Knowing>
  );
}

/** A page that went wrong: the others are still there. */
export function Broken({ error, reset }: ErrorComponentProps) {
  return <Failed title={say.frame.broken} next={failure(error).title} retry={reset} />;
}

export function Missing() {
  return (
    <Page title={say.frame.missing}>
      <Empty>
        <p>{say.frame.missingNext(<Link to="/">{say.frame.goHome}</Link>)}</p>
      </Empty>
    </Page>
  );
}
