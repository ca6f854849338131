import type { JsonObject } from "@bufbuild/protobuf";
import { Sheet } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useId, useMemo, useState } from "react";

import { methodOf } from "../contracts/load.js";
import { type Known, useKnown } from "../known.js";
import { call } from "../node.js";
import { entries } from "../pages/index.js";
import { say } from "../strings.js";
import { prefixOf, short, words } from "../values.js";
import css from "./palette.module.css";

interface Target {
  title: string;
  kind: string;
  /** Where it leads; what it is known by, where it does something instead. */
  href: string;
  act?: () => void;
}

/** As many as one reads at a glance. */
const SHOWN = 40;
const PEOPLE = 5;

/** One box that leads everywhere: methods, lists, places, people, things by their identifier, and what can be done. */
export function Palette({ onClose, onLeave }: { onClose: () => void; onLeave: () => void }) {
  const known = useKnown();
  const router = useRouter();
  const id = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const all = useMemo(() => targets(known), [known]);
  const people = usePeople(text);
  const leave: Target = {
    title: say.frame.signOut,
    kind: say.frame.kinds.action,
    href: "sign-out",
    act: onLeave,
  };
  const found = [...find(known, [...all, leave], text), ...people];
  const go = (target: Target | undefined) => {
    if (target === undefined) return;
    onClose();
    if (target.act) target.act();
    else void router.navigate({ href: target.href });
  };
  const steer = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") go(found[at]);
    else if (step === undefined) return;
    else setAt((found.length + at + step) % Math.max(found.length, 1));
    event.preventDefault();
  };
  return (
    <Sheet label={say.frame.search} onClose={onClose}>
      <input
        className={css.input}
        // biome-ignore lint/a11y/noAutofocus: whoever opened this wants to type
        autoFocus
        role="combobox"
        aria-label={say.frame.searchFor}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
        placeholder={say.frame.searchExample}
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={steer}
      />
      <div id={`${id}-list`} className={css.list} role="listbox" aria-label={say.frame.found}>
        {found.map((target, place) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are the input's
          <div
            key={target.href}
            id={`${id}-${place}`}
            role="option"
            tabIndex={-1}
            aria-selected={place === at}
            className={css.option}
            onMouseMove={() => setAt(place)}
            onClick={() => go(target)}
          >
            {target.title}
            <span className={css.kind}>{target.kind}</span>
          </div>
        ))}
      </div>
      {found.length === 0 ? <p className={css.none}>{say.frame.foundNothing}</p> : null}
    </Sheet>
  );
}

function targets(known: Known): Target[] {
  const { home, explore, data, operate, people, account, kinds } = say.frame;
  const places = {
    "/": home,
    "/explore": explore,
    "/data": data,
    "/operate": operate,
    "/people": people,
    "/account": account,
  };
  return [
    ...Object.entries(places).map(([href, title]) => ({ title, kind: kinds.place, href })),
    ...creating(known),
    ...entries(known).map(({ service, name, title }) => ({
      title: `${service} / ${title}`,
      kind: kinds.list,
      href: `/data/${service}/${name}`,
    })),
    ...known.contracts.services.flatMap(({ methods }) =>
      methods.map(({ service, name, kind }) => ({
        title: `${service} / ${name}`,
        kind,
        href: `/explore/${service}/${name}`,
      })),
    ),
  ];
}

/** What can be made, in the words of whoever wants one. */
function creating({ contracts, collections, may }: Known): Target[] {
  return collections.flatMap(({ service, item }) => {
    const create = methodOf(contracts, service, `Create${item.name}`);
    if (create === undefined || !may(create)) return [];
    const name = item.name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
    // The method itself is a target as well: they are told apart by where they begin.
    return [
      {
        title: say.frame.newOne(name),
        kind: say.frame.kinds.action,
        href: `/explore/${service}/${create.name}?`,
      },
    ];
  });
}

/** People whose handle begins with what is typed, for whoever may list them. */
function usePeople(text: string): Target[] {
  const { contracts, may } = useKnown();
  const list = methodOf(contracts, "users", "ListUsers");
  const handle = text.trim();
  const isWanted = /^[A-Za-z0-9._-]{2,40}$/.test(handle) && list !== undefined && may(list);
  const { data } = useQuery({
    queryKey: ["people", handle],
    queryFn: async ({ signal }) => {
      if (list === undefined) return [];
      const asked = { handlePrefix: handle, pageSize: PEOPLE };
      const { json } = await call(contracts, list, asked, { signal });
      return (json as JsonObject).users as { id: string; handle: string; displayName: string }[];
    },
    enabled: isWanted,
  });
  if (!isWanted) return [];
  return (data ?? []).map(({ id, handle, displayName }) => ({
    title: displayName ? `${handle}, ${displayName}` : handle,
    kind: say.frame.kinds.user,
    href: `/people/users?open=${encodeURIComponent(JSON.stringify(id))}`,
  }));
}

/** What somebody means: every word that they type is there, wherever. */
function find({ byPrefix }: Known, all: Target[], text: string): Target[] {
  const said = text.trim();
  const collection = byPrefix.get(prefixOf(said) ?? "");
  if (collection !== undefined) {
    const { service, name, item } = collection;
    const href = `/data/${service}/${name}?open=${encodeURIComponent(JSON.stringify(said))}`;
    return [{ title: `${words(item.name)} ${short(said)}`, kind: say.frame.kinds.open, href }];
  }
  if (/^p[0-9a-f]+$/.test(said)) {
    return [
      {
        title: say.frame.commit(said),
        kind: say.frame.kinds.open,
        href: `/operate/commits/${said}`,
      },
    ];
  }
  const parts = said.toLowerCase().split(/\s+/);
  const matches = ({ title }: Target) => parts.every((part) => title.toLowerCase().includes(part));
  return all.filter(matches).slice(0, SHOWN);
}
