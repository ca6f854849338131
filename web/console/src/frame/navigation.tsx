import { Link, useRouterState } from "@tanstack/react-router";
import { Activity, Database, House, TerminalSquare, Users } from "lucide-react";

import { useKnown } from "../known.js";
import { words } from "../values.js";
import css from "./frame.module.css";

const ICON = { size: 16, "aria-hidden": true } as const;

/** Five places, and what there is in the one where somebody is. */
export function Navigation() {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  return (
    <ul>
      <li>
        <Link to="/" className={css.place ?? ""} activeOptions={{ exact: true }}>
          <House {...ICON} /> Home
        </Link>
      </li>
      <li>
        <Link to="/explore" className={css.place ?? ""}>
          <TerminalSquare {...ICON} /> Explore
        </Link>
      </li>
      <li>
        <Link to="/data" className={css.place ?? ""} activeOptions={{ exact: true }}>
          <Database {...ICON} /> Data
        </Link>
        {path.startsWith("/data") ? <Collections /> : null}
      </li>
      <li>
        <Link to="/operate/{-$part}" params={{}} className={css.place ?? ""}>
          <Activity {...ICON} /> Operate
        </Link>
      </li>
      <li>
        <Link to="/people/{-$part}" params={{}} className={css.place ?? ""}>
          <Users {...ICON} /> People
        </Link>
      </li>
    </ul>
  );
}

function Collections() {
  const { contracts, collections } = useKnown();
  const services = contracts.services.map(({ name }) => ({
    name,
    all: collections.filter(({ service }) => service === name),
  }));
  return services
    .filter(({ name, all }) => all.length > 0 && name !== "system")
    .map(({ name, all }) => (
      <div key={name}>
        <p className={css.group}>{name}</p>
        {all.map((collection) => (
          <Link
            key={collection.name}
            className={css.part ?? ""}
            to="/data/$service/$name"
            params={{ service: name, name: collection.name }}
            activeOptions={{ includeSearch: false }}
          >
            {words(collection.items.name)}
          </Link>
        ))}
      </div>
    ));
}
