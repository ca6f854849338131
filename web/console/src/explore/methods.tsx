import { input } from "@stoa/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useKnown } from "../known.js";
import { say } from "../strings.js";
import css from "./explore.module.css";

/** What a method does, as one letter. */
const LETTERS = { query: "Q", command: "C", effect: "E" } as const;

/** Every method of every service. */
export function Methods() {
  const { contracts, may } = useKnown();
  const [text, setText] = useState("");
  const services = contracts.services.map((service) => ({
    ...service,
    methods: service.methods.filter(({ name }) =>
      `${service.name} ${name}`.toLowerCase().includes(text.toLowerCase()),
    ),
  }));
  return (
    <nav className={css.methods} aria-label={say.explore.methods}>
      <div className={css.search}>
        <input
          className={input}
          data-filter
          aria-label={say.explore.filterLabel}
          placeholder={say.explore.filter}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      {services
        .filter(({ methods }) => methods.length > 0)
        .map(({ name, methods }) => (
          <div key={name}>
            <h2 className={css.service}>{name}</h2>
            <ul>
              {methods.map((method) => (
                <li key={method.name}>
                  <Link
                    className={css.method ?? ""}
                    to="/explore/$service/$method"
                    params={{ service: name, method: method.name }}
                    activeOptions={{ includeSearch: false }}
                    data-denied={may(method) ? undefined : ""}
                  >
                    <span className={css.kind} title={method.kind}>
                      {LETTERS[method.kind]}
                    </span>
                    {method.name}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
    </nav>
  );
}
