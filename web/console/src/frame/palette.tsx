import { Sheet } from "@stoa/ui";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useId, useMemo, useState } from "react";

import { type Known, useKnown } from "../known.js";
import { prefixOf, short, words } from "../values.js";
import css from "./palette.module.css";

interface Target {
  title: string;
  kind: string;
  href: string;
}

/** As many as one reads at a glance. */
const SHOWN = 40;

/** One box that leads everywhere: methods, lists, places, and things by their identifier. */
export function Palette({ onClose }: { onClose: () => void }) {
  const known = useKnown();
  const router = useRouter();
  const id = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const all = useMemo(() => targets(known), [known]);
  const found = find(known, all, text);
  const go = (target: Target | undefined) => {
    if (target === undefined) return;
    onClose();
    void router.navigate({ href: target.href });
  };
  const steer = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") go(found[at]);
    else if (step === undefined) return;
    else setAt((found.length + at + step) % Math.max(found.length, 1));
    event.preventDefault();
  };
  return (
    <Sheet label="Search" onClose={onClose}>
      <input
        className={css.input}
        // biome-ignore lint/a11y/noAutofocus: whoever opened this wants to type
        autoFocus
        role="combobox"
        aria-label="Search or jump to"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
        placeholder="A method, a list, a place, or an identifier"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={steer}
      />
      <div id={`${id}-list`} className={css.list} role="listbox" aria-label="Found">
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
      {found.length === 0 ? <p className={css.none}>Nothing is called that.</p> : null}
    </Sheet>
  );
}

function targets({ contracts, collections }: Known): Target[] {
  const places = ["Home", "Explore", "Data", "Operate", "People"];
  return [
    ...places.map((title) => ({
      title,
      kind: "place",
      href: title === "Home" ? "/" : `/${title.toLowerCase()}`,
    })),
    ...collections.map(({ service, name, items }) => ({
      title: `${service} / ${words(items.name)}`,
      kind: "list",
      href: `/data/${service}/${name}`,
    })),
    ...contracts.services.flatMap(({ methods }) =>
      methods.map(({ service, name, kind }) => ({
        title: `${service} / ${name}`,
        kind,
        href: `/explore/${service}/${name}`,
      })),
    ),
  ];
}

/** What somebody means: every word that they type is there, wherever. */
function find({ byPrefix }: Known, all: Target[], text: string): Target[] {
  const said = text.trim();
  const collection = byPrefix.get(prefixOf(said) ?? "");
  if (collection !== undefined) {
    const { service, name, item } = collection;
    const href = `/data/${service}/${name}?open=${encodeURIComponent(JSON.stringify(said))}`;
    return [{ title: `${words(item.name)} ${short(said)}`, kind: "open", href }];
  }
  if (/^p[0-9a-f]+$/.test(said)) {
    return [{ title: `Commit ${said}`, kind: "open", href: `/operate/commits/${said}` }];
  }
  const parts = said.toLowerCase().split(/\s+/);
  const matches = ({ title }: Target) => parts.every((part) => title.toLowerCase().includes(part));
  return all.filter(matches).slice(0, SHOWN);
}
