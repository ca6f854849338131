import { Button, Sheet, State } from "@stoa/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { LogOut, Menu, Search, UserRound } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";

import { signOut } from "../node.js";
import { useWaiting } from "../proof.js";
import { say } from "../strings.js";
import css from "./frame.module.css";
import { Navigation } from "./navigation.js";
import { Palette } from "./palette.js";

const StepUp = lazy(() => import("./step-up.js"));

/** What surrounds every page. */
export function Frame() {
  const [open, setOpen] = useState<"search" | "places" | undefined>();
  const close = () => setOpen(undefined);
  const leave = useLeave();
  const told = useWaiting();
  const address = useRouterState({ select: ({ location }) => location.href });
  // biome-ignore lint/correctness/useExhaustiveDependencies: whoever has arrived has chosen
  useEffect(close, [address]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const isTyping =
        event.target instanceof HTMLElement &&
        /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      const isChord = event.ctrlKey || event.metaKey || event.altKey;
      if (event.key === "k" && (event.ctrlKey || event.metaKey)) setOpen("search");
      else if (isTyping || isChord) return;
      // What a page has of its own comes first: a filter, a file to take along.
      else if (event.key === "/" && reach("[data-filter]")) reach("[data-filter]")?.focus();
      else if (event.key === "/") setOpen("search");
      else if (event.key === "e") reach("[data-export] button")?.click();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
  return (
    <div className={css.frame}>
      <header className={css.top}>
        <div className={css.menu}>
          <Button kind="quiet" label={say.frame.places} onClick={() => setOpen("places")}>
            <Menu size={16} aria-hidden />
          </Button>
        </div>
        <Link to="/" className={css.mark ?? ""} aria-label={say.frame.product}>
          <img src="/mark.svg" alt="" width={18} height={18} />
          <span>{say.frame.product}</span>
        </Link>
        <button type="button" className={css.search} onClick={() => setOpen("search")}>
          <Search size={14} aria-hidden />
          {say.frame.searchOrJump}
          <kbd>{say.frame.searchKey}</kbd>
        </button>
        <div className={css.end}>
          <Health />
          <Link
            to="/account/{-$part}"
            params={{}}
            className={css.account ?? ""}
            aria-label={say.frame.account}
            title={say.frame.account}
          >
            <UserRound size={16} aria-hidden />
          </Link>
          <Button kind="quiet" label={say.frame.signOut} onClick={leave}>
            <LogOut size={16} aria-hidden />
          </Button>
        </div>
      </header>
      <nav className={css.nav} aria-label={say.frame.places}>
        <Navigation />
      </nav>
      <main className={css.main}>
        <Outlet />
      </main>
      {told === undefined ? null : (
        <Suspense>
          <StepUp told={told} />
        </Suspense>
      )}
      {open === "search" ? <Palette onClose={close} onLeave={leave} /> : null}
      {open === "places" ? (
        <Sheet label={say.frame.places} place="side" onClose={close}>
          <nav className={css.nav} aria-label={say.frame.places}>
            <Navigation />
          </nav>
        </Sheet>
      ) : null}
    </div>
  );
}

function reach(selector: string): HTMLElement | undefined {
  return document.querySelector<HTMLElement>(`main ${selector}`) ?? undefined;
}

/** One dot and one word. */
function Health() {
  const { data, isError } = useQuery({
    queryKey: ["health"],
    queryFn: async () => {
      const answer = await fetch("/ready");
      return { isReady: answer.ok, said: (await answer.text()).trim() };
    },
    refetchInterval: 5_000,
    retry: false,
  });
  const mood = isError ? "bad" : data === undefined ? "plain" : data.isReady ? "good" : "warn";
  const word = isError
    ? say.frame.notReached
    : data === undefined
      ? say.frame.unknown
      : data.isReady
        ? say.frame.ready
        : say.frame.notReady;
  return (
    <span
      className={css.health}
      role="status"
      title={data?.isReady === false ? data.said : undefined}
    >
      <State mood={mood}>{word}</State>
    </span>
  );
}

/** Ends the session, and forgets all that was seen. */
function useLeave(): () => void {
  const queries = useQueryClient();
  return () =>
    void signOut().then(() => {
      queries.clear();
      location.assign("/");
    });
}
